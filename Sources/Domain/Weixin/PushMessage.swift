internal import Foundation
internal import FoundationXML
package import TollgateKernel

/// A push of the official account: the fields of its XML (`reference` section 1.9).
package struct PushMessage: Hashable, Sendable {
    /// The fields directly under the root, by name.
    package let fields: [String: String]

    /// Reads the XML of a push.
    ///
    /// What no push contains is refused before the parser sees a byte: see ``PushShape``.
    ///
    /// - Throws: `invalid_request` for anything that is not a push.
    package init(xml: [UInt8]) throws(Failure) {
        guard xml.count <= Limits.pushBytes else {
            throw Failure(.invalidRequest, "A push has at most \(Limits.pushBytes) bytes.")
        }
        guard PushShape.isPush(xml) else {
            throw Failure(.invalidRequest, "A push is plain XML in UTF-8 that starts with <xml>.")
        }
        let reader = FieldReader()
        let parser = XMLParser(data: Data(xml))
        parser.shouldResolveExternalEntities = false
        parser.delegate = reader
        guard parser.parse(), parser.parserError == nil, let fields = reader.fields else {
            throw Failure(.invalidRequest, "A push is one well-formed XML document.")
        }
        self.fields = fields
    }

    /// The person who wrote or did something.
    package var openID: String { fields["FromUserName"] ?? "" }
    /// The official account, `gh_…`.
    package var officialAccount: String { fields["ToUserName"] ?? "" }
    /// The kind of push, such as `text` or `event`.
    package var kind: String { fields["MsgType"] ?? "" }
    /// The text of a text message.
    package var text: String { fields["Content"] ?? "" }
    /// The event, such as `subscribe`; empty for messages.
    package var event: String { fields["Event"] ?? "" }
    /// The sealed message of aes mode.
    package var sealed: String? { fields["Encrypt"] }

    /// The scene of the QR code that was scanned, or followed by; nil if there was none.
    package var scene: String? {
        guard kind == "event", let key = fields["EventKey"] else { return nil }
        let prefix = event == "subscribe" ? "qrscene_" : ""
        guard event == "SCAN" || event == "subscribe", key.hasPrefix(prefix) else { return nil }
        let scene = key.dropFirst(prefix.utf8.count)
        return (1...Limits.sceneBytes).contains(scene.utf8.count) ? String(scene) : nil
    }

    /// The number of two digits that a text consists of, full-width ones included.
    package var number: Int64? {
        guard kind == "text" else { return nil }
        let digits = text.unicodeScalars.filter { !$0.properties.isWhitespace }.map { scalar in
            // As Chinese keyboards type them.
            let narrow =
                (0xff10...0xff19).contains(scalar.value) ? scalar.value - 0xfee0 : scalar.value
            return (0x30...0x39).contains(narrow) ? Int64(narrow - 0x30) : nil
        }
        guard digits.count == 2, let tens = digits[0], let ones = digits[1] else { return nil }
        return 10 * tens + ones
    }

    /// What tells a repetition: the MsgId, or for events sender, time, event and scene.
    package var deduplicationKey: String? {
        if let id = fields["MsgId"], !id.isEmpty { return "message:\(id)" }
        guard !openID.isEmpty, let time = fields["CreateTime"], !event.isEmpty else { return nil }
        let scene = scene.map { ":\($0)" } ?? ""
        return "event:\(openID):\(time):\(event)\(scene)"
    }
}

/// Collects the text of each element under the root.
///
/// A class because the parser's delegate has to be one; it lives inside one call.
private final class FieldReader: NSObject, XMLParserDelegate {
    private var depth = 0
    private var name = ""
    private var text = ""
    private var collected: [String: String] = [:]
    private var isBroken = false

    /// The fields, or nil if a bound was passed or a field came twice.
    var fields: [String: String]? { isBroken || depth != 0 ? nil : collected }

    func parser(
        _ parser: XMLParser, didStartElement elementName: String, namespaceURI: String?,
        qualifiedName: String?, attributes: [String: String]
    ) {
        depth += 1
        if depth > Limits.pushDepth { fail(parser) }
        guard depth == 2 else { return }
        name = elementName
        text = ""
    }

    // Text after the root is told here alone: `parse()` still says that all went well.
    func parser(_ parser: XMLParser, parseErrorOccurred parseError: any Error) { isBroken = true }

    func parser(_ parser: XMLParser, foundCharacters string: String) {
        if depth == 2 { text += string }
    }

    func parser(_ parser: XMLParser, foundCDATA block: Data) {
        guard depth == 2 else { return }
        guard let string = String(data: block, encoding: .utf8) else { return fail(parser) }
        text += string
    }

    func parser(
        _ parser: XMLParser, didEndElement elementName: String, namespaceURI: String?,
        qualifiedName: String?
    ) {
        depth -= 1
        guard depth == 1 else { return }
        if collected.count >= Limits.pushFields || collected[name] != nil { return fail(parser) }
        collected[name] = text
    }

    private func fail(_ parser: XMLParser) {
        isBroken = true
        parser.abortParsing()
    }
}
