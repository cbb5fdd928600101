import CProto
import CProtobufC
import TollgateKernel

/// A request's metadata.
///
/// What nearly every call brings is kept without a dictionary, which would cost each of them more
/// than all else that is read from its envelope.
package struct RequestFields: Hashable, Sendable {
    /// The key of a person's login session or API key.
    package static let authorizationKey = "authorization"
    /// The key of the trace that a call is part of.
    package static let traceKey = "traceparent"

    /// The person's login session or API key.
    package private(set) var authorization: String?
    /// What names the trace that the call is part of, as it came; nobody has looked at it.
    package private(set) var trace: TraceText?
    private var others: [String: String] = [:]

    /// No metadata.
    package init() {}

    /// Takes metadata.
    package init(_ fields: [String: String]) {
        others = fields
        authorization = others.removeValue(forKey: Self.authorizationKey)
        if let text = others[Self.traceKey], let trace = TraceText(text) {
            self.trace = trace
            others[Self.traceKey] = nil
        }
    }

    /// Copies metadata.
    /// - Throws: ``WireError/malformed(_:)`` if there are too many or they are not UTF-8.
    init(
        fields: UnsafeMutablePointer<UnsafeMutablePointer<Tollgate__Rpc__UserField>?>?, count: Int
    ) throws(WireError) {
        guard count <= Limits.rpcUserFields else {
            throw .malformed("the envelope holds more than \(Limits.rpcUserFields) user fields")
        }
        for index in 0..<count {
            guard let field = fields?[index]?.pointee else { continue }
            let key = UnsafeRawBufferPointer(field.key)
            let value = UnsafeRawBufferPointer(field.value)
            if key.elementsEqual(Self.authorizationKey.utf8) {
                authorization = try String(wire: value)
            } else if key.elementsEqual(Self.traceKey.utf8) {
                trace = TraceText(value)
                others[Self.traceKey] = trace == nil ? try String(wire: value) : nil
            } else {
                others[try String(wire: key)] = try String(wire: value)
            }
        }
    }

    /// Whether there is nothing.
    package var isEmpty: Bool { authorization == nil && trace == nil && others.isEmpty }

    /// All of it.
    package var all: [String: String] {
        var all = others
        if let authorization { all[Self.authorizationKey] = authorization }
        if let trace { all[Self.traceKey] = trace.description }
        return all
    }
}

/// The 55 characters of a W3C `traceparent`, unread: they lie in place and cost nothing to carry.
package struct TraceText: Hashable, Sendable, CustomStringConvertible {
    private var words: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (
        0, 0, 0, 0, 0, 0, 0
    )

    /// How many bytes version 00 has.
    private static let byteCount = 55

    /// Takes bytes; nil if they are not as many, or not all ASCII.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == Self.byteCount else { return nil }
        withUnsafeMutableBytes(of: &words) { $0.copyMemory(from: bytes) }
        let all = words.0 | words.1 | words.2 | words.3 | words.4 | words.5 | words.6
        guard all & 0x8080_8080_8080_8080 == 0 else { return nil }
    }

    /// Takes a text; nil if it is not as long, or not all ASCII.
    package init?(_ text: String) {
        var text = text
        let read = text.withUTF8 { TraceText(UnsafeRawBufferPointer($0)) }
        guard let read else { return nil }
        self = read
    }

    /// The characters.
    package var description: String {
        withUnsafeBytes(of: words) { String(decoding: $0.prefix(Self.byteCount), as: UTF8.self) }
    }

    package static func == (left: TraceText, right: TraceText) -> Bool {
        left.words.0 == right.words.0 && left.words.1 == right.words.1
            && left.words.2 == right.words.2 && left.words.3 == right.words.3
            && left.words.4 == right.words.4 && left.words.5 == right.words.5
            && left.words.6 == right.words.6
    }

    package func hash(into hasher: inout Hasher) {
        withUnsafeBytes(of: words) { hasher.combine(bytes: $0) }
    }
}
