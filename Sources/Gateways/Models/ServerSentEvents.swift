internal import TollgateKernel

/// Splits a stream of bytes into server-sent events (HTML standard, section 9.2.6).
///
/// A pure value: feed it pieces as they come, cut anywhere. The data stays bytes, so characters cut
/// between pieces are whole again when an event is. `id` and `retry` are passed over: no provider
/// of ours resumes a stream.
struct ServerSentEvents {
    /// One event.
    struct Event: Hashable, Sendable {
        /// The `event` field; `message` if there was none.
        var type: String
        /// The `data` fields, joined by line feeds.
        var data: [UInt8]
    }

    /// A line or an event larger than ``Limits/serverSentEventBytes``.
    struct TooLarge: Error {}

    // Slices like those they are compared with: against a string's view, each byte would go
    // through tables of witnesses.
    private static let dataField = ArraySlice("data".utf8)
    private static let eventField = ArraySlice("event".utf8)

    /// The line that has not ended yet.
    private var line: [UInt8] = []
    private var data: [UInt8] = []
    private var hasData = false
    private var type = ""
    /// The last byte was a carriage return: a line feed right after it ends no second line.
    private var mayEndTwice = false
    private var isFirstLine = true

    /// Whether a line or an event has begun and not ended.
    var isInsideEvent: Bool { !line.isEmpty || hasData || !type.isEmpty }

    /// Takes the next piece and appends every event it completes.
    mutating func append(_ piece: [UInt8], to events: inout [Event]) throws(TooLarge) {
        var start = 0
        var index = 0
        while index < piece.count {
            let byte = piece[index]
            guard byte == 0x0a || byte == 0x0d else {
                index += 1
                continue
            }
            let isSecondHalf =
                byte == 0x0a && mayEndTwice && index == start && line.isEmpty
            mayEndTwice = byte == 0x0d
            if !isSecondHalf {
                if line.isEmpty {
                    try endLine(piece[start..<index], &events)
                } else {
                    try keep(piece[start..<index])
                    let whole = line
                    line.removeAll(keepingCapacity: true)
                    try endLine(whole[...], &events)
                }
            }
            index += 1
            start = index
        }
        try keep(piece[start...])
        if start < piece.count { mayEndTwice = false }
    }

    private mutating func keep(_ bytes: ArraySlice<UInt8>) throws(TooLarge) {
        guard line.count + bytes.count <= Limits.serverSentEventBytes else { throw TooLarge() }
        line.append(contentsOf: bytes)
    }

    private mutating func endLine(_ bytes: ArraySlice<UInt8>, _ events: inout [Event])
        throws(TooLarge)
    {
        var bytes = bytes
        guard bytes.count <= Limits.serverSentEventBytes else { throw TooLarge() }
        if isFirstLine {
            isFirstLine = false
            if bytes.starts(with: [0xef, 0xbb, 0xbf]) { bytes = bytes.dropFirst(3) }
        }
        guard !bytes.isEmpty else {
            dispatch(&events)
            return
        }
        let colon = bytes.firstIndex(of: UInt8(ascii: ":")) ?? bytes.endIndex
        var value = bytes[colon...].dropFirst()
        if value.first == 0x20 { value = value.dropFirst() }
        let name = bytes[..<colon]
        if name == Self.dataField {
            if hasData { data.append(0x0a) }
            guard data.count + value.count <= Limits.serverSentEventBytes else { throw TooLarge() }
            data.append(contentsOf: value)
            hasData = true
        } else if name == Self.eventField {
            type = String(decoding: value, as: UTF8.self)
        }
    }

    private mutating func dispatch(_ events: inout [Event]) {
        if hasData { events.append(Event(type: type.isEmpty ? "message" : type, data: data)) }
        data.removeAll(keepingCapacity: false)
        hasData = false
        type = ""
    }
}
