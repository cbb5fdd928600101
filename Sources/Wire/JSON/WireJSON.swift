internal import TollgateKernel

/// Messages in canonical proto3 JSON, by their shape at run time: for `tollgate call` and HTTP.
///
/// Names are lowerCamel (the contract's own are read too), 64-bit numbers are strings, enums are
/// names, bytes are base64, defaults are left out. A field that the shape lacks is an error when
/// read from JSON and dropped when read from bytes, as protobuf-c's side does.
/// Source: <https://protobuf.dev/programming-guides/json/>.
public enum WireJSON {
    /// The JSON of an encoded message.
    /// - Throws: ``WireError/malformed(_:)`` if the bytes are no such message,
    ///   ``WireError/tooLarge(limitBytes:)`` beyond 8 MiB.
    public static func text(
        of bytes: [UInt8], as shape: MessageDescriptor
    ) throws(WireError) -> String {
        guard bytes.count <= Limits.wireJSONBytes else {
            throw .tooLarge(limitBytes: Limits.wireJSONBytes)
        }
        var writer = JSONWriter()
        try writer.message(bytes[...], as: shape, depth: 0)
        return writer.text
    }

    /// The encoded message that a JSON text says.
    /// - Throws: ``WireError/malformed(_:)`` with the place of what is wrong,
    ///   ``WireError/tooLarge(limitBytes:)`` beyond 8 MiB.
    public static func bytes(
        of text: String, as shape: MessageDescriptor
    ) throws(WireError) -> [UInt8] {
        guard text.utf8.count <= Limits.wireJSONBytes else {
            throw .tooLarge(limitBytes: Limits.wireJSONBytes)
        }
        var reader = JSONReader(scanner: JSONScanner(text))
        let bytes = try reader.message(as: shape, at: "", depth: 0)
        try reader.scanner.expectEnd()
        return bytes
    }
}
