/// Words that the languages of the generated code reserve.
enum Keywords {
    /// Swift's reserved words (The Swift Programming Language, Lexical Structure).
    static let swift: Set<String> = [
        "Any", "Protocol", "Self", "Type", "as", "associatedtype", "await", "break", "case",
        "catch", "class", "continue", "default", "defer", "deinit", "do", "else", "enum",
        "extension", "fallthrough", "false", "fileprivate", "for", "func", "guard", "if", "import",
        "in", "init", "inout", "internal", "is", "let", "nil", "operator", "precedencegroup",
        "private", "protocol", "public", "repeat", "rethrows", "return", "self", "static", "struct",
        "subscript", "super", "switch", "throw", "throws", "true", "try", "typealias", "var",
        "where", "while",
    ]

    /// C++'s, after which protoc-c puts an underscore.
    static let cPlusPlus: Set<String> = [
        "and", "and_eq", "asm", "auto", "bitand", "bitor", "bool", "break", "case", "catch", "char",
        "class", "compl", "const", "const_cast", "continue", "default", "delete", "do", "double",
        "dynamic_cast", "else", "enum", "explicit", "extern", "false", "float", "for", "friend",
        "goto", "if", "inline", "int", "long", "mutable", "namespace", "new", "not", "not_eq",
        "operator", "or", "or_eq", "private", "protected", "public", "register",
        "reinterpret_cast", "return", "short", "signed", "sizeof", "static", "static_cast",
        "struct", "switch", "template", "this", "throw", "true", "try", "typedef", "typeid",
        "typename", "union", "unsigned", "using", "virtual", "void", "volatile", "wchar_t", "while",
        "xor", "xor_eq",
    ]

    /// Names that no Swift property can have, backticks or not, or that generated code uses.
    static let refusedFields: Set<String> = ["Type", "base", "init", "self"]

    /// Names of methods beside the reserved words: C's remaining keywords, and what generated code
    /// uses itself.
    static let refusedMethods: Set<String> = swift.union(cPlusPlus).union([
        "all", "client", "restrict", "service",
    ])
}
