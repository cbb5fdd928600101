/// What our own ends tell each other: field 120, which plain peers skip (rpc-wire, 5.2).
package struct EnvelopeExtension: Hashable, Sendable {
    /// The version of the extension set, in the first request and the first response.
    package var version: UInt32?
    /// What the sender can do, in bits.
    package var features: Features?
    /// The correlation id of the call to cancel (E2).
    package var cancelID: Int64?
    /// How a stream ended; 0 is success (E3).
    package var errorCode: Int32?
    /// One sentence on how a stream ended.
    package var errorText: String?
    /// Metadata at a stream's end.
    package var trailers: [String: String] = [:]
    /// The sender's direction of a stream ends with this DATA frame (E4).
    package var endOfStream: Bool?
    /// Bytes that the sender keeps for what it has not read yet (E5).
    package var initialWindowBytes: Int64?
    /// What a frame that belongs to no call says (E6); nil also for a number we do not know.
    package var control: Control?
    /// The highest correlation id that is still worked on (E6).
    package var lastAccepted: Int64?
    /// How long what was accepted may still take, in milliseconds.
    package var graceMilliseconds: Int32?
    /// How much the call matters; see the RPC module's classes (E7).
    package var priority: Int32?
    /// The sender wants no answer.
    package var noReply: Bool?
    /// How the answer's payload may be compressed, a bit for each type's number.
    package var acceptCompress: UInt32?
    /// How long to wait before trying again, in milliseconds.
    package var retryAfterMilliseconds: Int64?
    /// The request was certainly not begun, so repeating it is safe.
    package var notProcessed: Bool?

    /// Makes an empty extension.
    package init() {}

    /// The version this code speaks.
    package static let currentVersion: UInt32 = 1

    /// What each end announces in its first packet (E0).
    package static var announcement: EnvelopeExtension {
        var announcement = EnvelopeExtension()
        announcement.version = currentVersion
        announcement.features = .current
        return announcement
    }

    /// A message of the connection itself.
    package enum Control: Int32, Hashable, Sendable, CaseIterable {
        /// Answer, to show that you live.
        case ping = 1
        /// The answer to a ping.
        case pong = 2
        /// Begin nothing new here.
        case goAway = 3
    }

    /// What an end can do beyond bRPC.
    package struct Features: OptionSet, Hashable, Sendable {
        package let rawValue: UInt64

        /// Takes bits, known or not.
        package init(rawValue: UInt64) { self.rawValue = rawValue }

        /// Takes the cancel control call (E2).
        package static let cancel = Features(rawValue: 1 << 0)
        /// Says and reads a status on CLOSE (E3).
        package static let closeStatus = Features(rawValue: 1 << 1)
        /// Ends one direction of a stream before the other (E4).
        package static let halfClose = Features(rawValue: 1 << 2)
        /// Keeps to the receiver's window (E5).
        package static let receiverWindow = Features(rawValue: 1 << 3)
        /// Answers pings and heeds go-away (E6).
        package static let control = Features(rawValue: 1 << 4)
        /// Counts ``Limits/rpcStreamMessageBytes`` for each message of a stream, beside its bytes,
        /// in windows and FEEDBACK, if the other end does too; see ``chargesMessages`` (E5).
        package static let messageCharge = Features(rawValue: 1 << 5)

        /// What this code can do.
        package static let current: Features = [
            .cancel, .closeStatus, .halfClose, .receiverWindow, .control, .messageCharge,
        ]

        /// Whether messages are charged on streams with an end that can do this, both ways.
        ///
        /// Who does not keep to the receiver's window does not count as the receiver does either.
        package var chargesMessages: Bool { isSuperset(of: [.receiverWindow, .messageCharge]) }
    }

    /// An extension behind a reference, for whoever mostly has none and is copied often.
    package final class Box: Hashable, Sendable {
        /// The extension.
        package let value: EnvelopeExtension

        /// Puts an extension behind a reference.
        package init(_ value: EnvelopeExtension) { self.value = value }

        /// What each end announces, in a box.
        package static var announcement: Box { Box(.announcement) }

        /// Compares what is in the boxes.
        package static func == (left: Box, right: Box) -> Bool { left.value == right.value }

        /// Feeds what is in the box.
        package func hash(into hasher: inout Hasher) { hasher.combine(value) }
    }
}
