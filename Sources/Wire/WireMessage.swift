/// A message of the contract: a Swift value that protobuf-c reads from and writes to bytes.
///
/// Conformances are generated from `Proto/tollgate/v1`. Fields unknown to this version are dropped
/// when a message is read.
public protocol WireMessage: Hashable, Sendable {
    /// A message whose fields all have their proto3 defaults.
    init()

    /// The message's shape, for readers that know it only at run time.
    static var descriptor: MessageDescriptor { get }

    /// Reads one message.
    ///
    /// Memory is at most four times the bytes' length plus 64 KiB, whatever lengths they declare.
    /// - Throws: ``WireError/malformed(_:)`` or ``WireError/tooLarge(limitBytes:)``.
    static func decode(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> Self

    /// Writes the message and lends its bytes, which live only while `body` runs.
    /// - Throws: ``WireError/unencodable(_:)`` if a string holds a NUL, or what `body` throws.
    func withEncoded<Result>(
        _ body: (UnsafeRawBufferPointer) throws -> Result
    ) throws -> Result
}

extension WireMessage {
    /// Reads one message from an array.
    public static func decode(_ bytes: [UInt8]) throws(WireError) -> Self {
        let outcome: Swift.Result<Self, WireError> = bytes.withUnsafeBytes { raw in
            do throws(WireError) {
                return .success(try decode(raw))
            } catch {
                return .failure(error)
            }
        }
        return try outcome.get()
    }

    /// The message's bytes as an array.
    /// - Throws: ``WireError/unencodable(_:)`` if a string holds a NUL.
    public func encoded() throws -> [UInt8] {
        try withEncoded { bytes in Array(bytes) }
    }
}
