/// A JSON document to be written: its keys keep their order, so that lines can be compared.
package enum JSONValue: Sendable {
    /// A text.
    case text(String)
    /// A whole number.
    case number(Int64)
    /// True or false.
    case bool(Bool)
    /// Values in order.
    case array([JSONValue])
    /// Values by name, in order.
    case object([(String, JSONValue)])
    /// A document that was made elsewhere, one line, taken as it is.
    case raw(String)

    /// The document on one line, without spaces between its parts.
    package var text: String {
        var result = ""
        write(to: &result)
        return result
    }

    private func write(to result: inout String) {
        switch self {
        case .text(let text): Self.quote(text, to: &result)
        case .number(let number): result += String(number)
        case .bool(let bool): result += bool ? "true" : "false"
        case .raw(let document): result += document
        case .array(let values):
            result += "["
            for (place, value) in values.enumerated() {
                if place > 0 { result += "," }
                value.write(to: &result)
            }
            result += "]"
        case .object(let members):
            result += "{"
            for (place, member) in members.enumerated() {
                if place > 0 { result += "," }
                Self.quote(member.0, to: &result)
                result += ":"
                member.1.write(to: &result)
            }
            result += "}"
        }
    }

    /// Writes a string as RFC 8259, section 7 has it; DEL and the two line separators are escaped
    /// as well, so that a document stays one harmless line on a terminal.
    private static func quote(_ text: String, to result: inout String) {
        result += "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        result += "\""
    }
}
