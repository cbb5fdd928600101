internal import Cryptography
internal import TollgateKernel

/// What a person did on the phone that the account's server is told.
enum PhoneAction: Hashable, Sendable {
    /// Followed the account; by its QR code with a scene, or without.
    case subscribe(scene: String?)
    /// Stopped following.
    case unsubscribe
    /// Scanned the account's QR code while following it.
    case scan(scene: String)
    /// Sent a text.
    case text(String)
}

/// One push, with the same MsgId and time however often it is sent.
struct Push: Sendable {
    var action: PhoneAction
    var openID: String
    var originalID: String
    var createdSeconds: Int64
    var messageID: Int64
    /// The ticket of the QR code, for the actions that have one.
    var ticket: String

    /// The message in clear.
    var xml: String {
        let head =
            FlatXML.text("ToUserName", originalID) + FlatXML.text("FromUserName", openID)
            + FlatXML.number("CreateTime", createdSeconds)
        switch action {
        case .text(let text):
            return FlatXML.document(
                head, FlatXML.text("MsgType", "text"), FlatXML.text("Content", text),
                FlatXML.number("MsgId", messageID))
        case .subscribe(nil):
            return event(head, "subscribe", key: "")
        case .subscribe(let scene?):
            return event(head, "subscribe", key: "qrscene_" + scene, ticket: ticket)
        case .scan(let scene):
            return event(head, "SCAN", key: scene, ticket: ticket)
        case .unsubscribe:
            return event(head, "unsubscribe", key: "")
        }
    }

    private func event(_ head: String, _ name: String, key: String, ticket: String? = nil)
        -> String
    {
        FlatXML.document(
            head, FlatXML.text("MsgType", "event"), FlatXML.text("Event", name),
            FlatXML.text("EventKey", key), ticket.map { FlatXML.text("Ticket", $0) } ?? "")
    }
}

/// What the account's server said to a push.
enum PassiveReply: Hashable, Sendable {
    /// Nothing for the person.
    case nothing
    /// A text for the person.
    case text(String)
    /// Not what the interface allows; the person sees that the service is broken.
    case fault(String)

    /// Reads the body of a 200 answer.
    init(body: [UInt8], to push: Push, sealing: MessageSealing?) {
        guard let text = String(validating: body, as: UTF8.self) else {
            self = .fault("the reply is not UTF-8")
            return
        }
        if text.isEmpty || text == "success" {
            self = .nothing
            return
        }
        do {
            let clear = try sealing.map { try Self.open(text, with: $0) } ?? text
            self = Self.read(clear, to: push)
        } catch {
            self = .fault("\(error)")
        }
    }

    private static func open(_ text: String, with sealing: MessageSealing) throws -> String {
        guard let outer = FlatXML.parse(text), let sealed = outer["Encrypt"],
            let signature = outer["MsgSignature"], let timestamp = outer["TimeStamp"],
            let nonce = outer["Nonce"]
        else { throw MessageSealing.Unreadable(description: "not an encrypted reply") }
        guard try sealing.signature(timestamp, nonce, sealed) == signature else {
            throw MessageSealing.Unreadable(description: "MsgSignature does not match")
        }
        return try sealing.open(sealed)
    }

    private static func read(_ clear: String, to push: Push) -> PassiveReply {
        guard let fields = FlatXML.parse(clear) else { return .fault("the reply is no XML") }
        guard fields["ToUserName"] == push.openID, fields["FromUserName"] == push.originalID else {
            return .fault("the reply names another receiver or sender")
        }
        guard fields["CreateTime"].flatMap(Int64.init) != nil else {
            return .fault("CreateTime is no number")
        }
        guard fields["MsgType"] == "text", let content = fields["Content"], !content.isEmpty else {
            return .fault("not a text with content")
        }
        guard content.utf8.count <= 2_048 else { return .fault("longer than 2048 bytes") }
        return .text(content)
    }
}
