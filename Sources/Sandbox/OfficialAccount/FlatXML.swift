internal import Foundation
internal import FoundationXML

/// The official account's XML: one `xml` element whose children hold text.
enum FlatXML {
    /// A child that holds text, written as CDATA.
    static func text(_ name: String, _ value: String) -> String {
        // `]]>` would end the section: it is split over two.
        let safe = value.replacing("]]>", with: "]]]]><![CDATA[>")
        return "<\(name)><![CDATA[\(safe)]]></\(name)>"
    }

    /// A child that holds a number.
    static func number(_ name: String, _ value: Int64) -> String { "<\(name)>\(value)</\(name)>" }

    /// The whole document.
    static func document(_ children: String...) -> String { "<xml>\(children.joined())</xml>" }

    /// The children's texts by name; nil if the text is no such document, is cut off, or has a DTD.
    static func parse(_ text: String) -> [String: String]? {
        var text = text[...]
        // Without its declaration the text is UTF-8 and nothing else: another encoding could hide
        // a DTD, or names that the parser traps on.
        if text.hasPrefix("<?xml"), let end = text.range(of: "?>") {
            text = text[end.upperBound...]
        }
        guard !text.contains("<!DOCTYPE") else { return nil }
        let parser = XMLParser(data: Data(text.utf8))
        parser.shouldResolveExternalEntities = false
        let reader = Reader()
        parser.delegate = reader
        // It says yes to documents that are not well-formed, and names the error beside it.
        guard parser.parse(), parser.parserError == nil, reader.root == "xml", !reader.isRefused
        else { return nil }
        return reader.values
    }

    /// Collects the children of the root; refuses deeper elements and repetitions.
    private final class Reader: NSObject, XMLParserDelegate {
        var values: [String: String] = [:]
        var root: String?
        var isRefused = false
        private var depth = 0
        private var current: String?

        func parser(
            _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
            qualifiedName: String?, attributes: [String: String]
        ) {
            depth += 1
            switch depth {
            case 1: root = name
            case 2:
                isRefused = isRefused || values[name] != nil
                values[name] = ""
                current = name
            default: isRefused = true
            }
        }

        func parser(
            _ parser: XMLParser, didEndElement name: String, namespaceURI: String?,
            qualifiedName: String?
        ) {
            depth -= 1
            current = nil
        }

        func parser(_ parser: XMLParser, foundCharacters string: String) {
            if let current { values[current, default: ""] += string }
        }

        func parser(_ parser: XMLParser, foundCDATA block: Data) {
            guard let text = String(data: block, encoding: .utf8) else {
                isRefused = true
                return
            }
            if let current { values[current, default: ""] += text }
        }
    }
}
