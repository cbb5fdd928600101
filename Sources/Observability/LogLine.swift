package import Logging
package import TollgateKernel

/// How log entries are written.
package enum LogFormat: String, Hashable, Sendable, CaseIterable {
    /// For people: `time level label message key=value`.
    case text
    /// For collectors: one JSON object a line.
    case json
}

/// One log entry as one line of bounded length, without the newline.
///
/// Control characters are escaped, so that text from outside cannot forge a second line. Keeping
/// secrets out is the caller's duty: an entry names ids, never prompts, keys or openids.
package enum LogLine {
    /// Makes the line; `fields` are sorted by name.
    package static func render(
        _ format: LogFormat, time: Timestamp, level: Logger.Level, label: String, message: String,
        fields: Logger.Metadata
    ) -> String {
        let pairs = fields.sorted { $0.key < $1.key }.map { name, value in
            (name, Truncation.text(value.description, Limits.logValueBytes))
        }
        let message = Truncation.text(message, Limits.logMessageBytes)
        switch format {
        case .text: return text(time, level, label, message, pairs)
        case .json: return json(time, level, label, message, pairs)
        }
    }

    private static func text(
        _ time: Timestamp, _ level: Logger.Level, _ label: String, _ message: String,
        _ pairs: [(String, String)]
    ) -> String {
        var line = "\(time) \(level.rawValue.uppercased()) \(label) "
        line += escaped(message, quotes: false)
        for (name, value) in pairs {
            let needsQuotes =
                value.isEmpty
                || value.unicodeScalars.contains {
                    $0 == " " || $0 == "\"" || $0 == "=" || isControl($0)
                }
            let shown = needsQuotes ? "\"\(escaped(value, quotes: true))\"" : value
            line += " \(escaped(name, quotes: false))=\(shown)"
        }
        return Truncation.text(line, Limits.logLineBytes)
    }

    /// Fields that would make the line too long are dropped whole, so that it stays JSON.
    private static func json(
        _ time: Timestamp, _ level: Logger.Level, _ label: String, _ message: String,
        _ pairs: [(String, String)]
    ) -> String {
        func quoted(_ text: String) -> String { "\"\(escaped(text, quotes: true))\"" }
        var line = "{\"time\":\"\(time)\",\"level\":\"\(level.rawValue)\""
        line += ",\"label\":\(quoted(label)),\"message\":\(quoted(message)),\"fields\":{"
        var separator = ""
        for (name, value) in pairs {
            let field = "\(separator)\(quoted(name)):\(quoted(value))"
            guard line.utf8.count + field.utf8.count + 2 <= Limits.logLineBytes else { continue }
            line += field
            separator = ","
        }
        return line + "}}"
    }

    private static func isControl(_ scalar: UnicodeScalar) -> Bool {
        scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value) || scalar.value == 0x2028
            || scalar.value == 0x2029
    }

    /// JSON's escapes, which people can read as well.
    private static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\"" where quotes: result += "\\\""
            case "\\" where quotes: result += "\\\\"
            case _ where isControl(scalar):
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
