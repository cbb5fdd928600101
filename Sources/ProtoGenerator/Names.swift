/// How the names of the contract read in Swift and in protoc-c's C.
enum Names {
    /// `ORDER_STATE` for `OrderState`.
    static func upperSnake(_ camel: String) -> String {
        var result = ""
        var previousIsLower = false
        for character in camel {
            if character.isUppercase, previousIsLower { result += "_" }
            result += character.uppercased()
            previousIsLower = !character.isUppercase
        }
        return result
    }

    /// `orderState` for `ORDER_STATE`.
    static func lowerCamel(upperSnake: String) -> String {
        let words = upperSnake.split(separator: "_").map { $0.lowercased() }
        return (words.first ?? "") + words.dropFirst().map(upperFirst).joined()
    }

    /// `EventKind` for `event_kind`.
    static func upperCamel(snake: String) -> String {
        snake.split(separator: "_").map { upperFirst(String($0)) }.joined()
    }

    /// `whoAmI` for `WhoAmI`, `urlOf` for `URLOf`.
    static func lowerFirst(_ name: String) -> String {
        let upper = name.prefix(while: \.isUppercase)
        // The last of several capitals starts the next word.
        let count = upper.count > 1 && upper.count < name.count ? upper.count - 1 : upper.count
        return name.prefix(count).lowercased() + name.dropFirst(count)
    }

    /// `Whoami` for `whoami`.
    static func upperFirst(_ name: String) -> String {
        name.prefix(1).uppercased() + name.dropFirst()
    }

    /// The name with backticks if Swift reserves it.
    static func escaped(_ name: String) -> String {
        Keywords.swift.contains(name) ? "`\(name)`" : name
    }

    /// The property of a field.
    static func property(_ field: Field) -> String { escaped(lowerFirst(field.jsonName)) }

    /// The case of an enum's value: `ORDER_STATE_PAID` of `OrderState` is `paid`.
    static func enumCase(_ value: Enumeration.Value, of enumeration: Enumeration) -> String {
        let prefix = upperSnake(enumeration.name) + "_"
        let rest =
            value.name.hasPrefix(prefix) ? value.name.dropFirst(prefix.count) : value.name[...]
        return escaped(lowerCamel(upperSnake: String(rest)))
    }
}

// MARK: - protoc-c's names

extension Names {
    /// `Tollgate__V1__WhoAmIRequest`.
    static func cType(_ fullName: String) -> String {
        fullName.split(separator: ".").map { part in
            part.split(separator: "_").map { upperFirst(String($0)) }.joined()
        }.joined(separator: "__")
    }

    /// `tollgate__v1__who_am_irequest`: protoc-c puts no underscore between two capitals.
    static func cFunctionPrefix(_ fullName: String) -> String {
        fullName.split(separator: ".").map { part in
            var result = ""
            var previousIsUpper = true
            for character in part {
                if character.isUppercase, !previousIsUpper { result += "_" }
                result += character.lowercased()
                previousIsUpper = character.isUppercase
            }
            return result
        }.joined(separator: "__")
    }

    /// A field's name in the struct.
    static func cField(_ name: String) -> String {
        let lower = name.lowercased()
        return Keywords.cPlusPlus.contains(lower) ? lower + "_" : lower
    }
}
