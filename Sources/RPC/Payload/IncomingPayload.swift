import NIOCore
import NIOPosix
import TollgateKernel
import TollgateWire

/// A payload as it arrived: how it is coded, and its bytes.
///
/// Most are plain and cost nothing here. The rest is checked and unpacked in the call's task, once
/// the call has been admitted: a refused one costs no work, and hears of its refusal alone.
struct IncomingPayload {
    private let compressType: Int32
    private let checksumType: Int32
    private let checksum: UInt32?
    private let coversAttachment: Bool
    let bytes: ByteBuffer

    /// Takes a received packet's payload.
    init(_ view: RpcMetaView, bytes: ByteBuffer) {
        compressType = view.compressType
        checksumType = view.checksumType
        checksum = checksumType == 0 ? nil : view.checksum
        coversAttachment = checksumType != 0 && view.checksumCoversAttachment
        self.bytes = bytes
    }

    /// Takes a received packet's payload.
    init(_ meta: RpcMeta, bytes: ByteBuffer) {
        compressType = meta.compressType
        checksumType = meta.checksumType
        checksum = meta.checksum
        coversAttachment = meta.checksumCoversAttachment
        self.bytes = bytes
    }

    /// The payload if there is nothing to check and nothing to unpack.
    var plain: ByteBuffer? { compressType == 0 && checksumType == 0 ? bytes : nil }

    /// Whether more may come out of the payload than it has bytes.
    var isCompressed: Bool { compressType != 0 }

    /// Whether the sender secured the payload, so that it will like the answer secured too.
    var hasChecksum: Bool { checksumType == PayloadChecksum.crc32c }

    /// Why nobody here can read it; nil if that has to be tried.
    private var refusal: PayloadError? {
        if compressType != 0, PayloadCompression(rawValue: compressType) == nil {
            return .unknownCompression(compressType)
        }
        if checksumType != 0 {
            guard hasChecksum else { return .unknownChecksum(checksumType) }
            guard checksum != nil else { return .checksumMismatch }
        }
        return nil
    }

    /// The payload checked and unpacked; long ones on a thread of their own.
    /// - Throws: ``PayloadError``, or `CancellationError` if the task is cancelled before it
    ///   begins.
    func unpacked(attachment: ByteBuffer, limitBytes: Int) async throws -> ByteBuffer {
        if let plain { return plain }
        if let refusal { throw refusal }
        // A short payload may hide a long one: what comes out is limited too.
        let covered = bytes.readableBytes + (coversAttachment ? attachment.readableBytes : 0)
        if covered <= Limits.rpcInlineChecksumBytes {
            do throws(PayloadError) {
                let inline = min(limitBytes, Limits.rpcInlineInflateBytes)
                return try unpack(attachment, limitBytes: inline)
            } catch {
                guard case .tooLong = error, limitBytes > Limits.rpcInlineInflateBytes else {
                    throw error
                }
            }
        }
        return try await NIOThreadPool.singleton.runIfActive {
            try unpack(attachment, limitBytes: limitBytes)
        }
    }

    private func unpack(
        _ attachment: ByteBuffer, limitBytes: Int
    ) throws(PayloadError) -> ByteBuffer {
        if hasChecksum {
            let found = bytes.withUnsafeReadableBytes {
                PayloadChecksum.value(payload: $0, attachment: coversAttachment ? attachment : nil)
            }
            guard found == checksum else { throw .checksumMismatch }
        }
        guard let compression = PayloadCompression(rawValue: compressType) else { return bytes }
        switch compression.inflate(bytes, limitBytes: limitBytes) {
        case .whole(let payload): return payload
        case .tooLong: throw .tooLong(limitBytes: limitBytes)
        case .broken: throw .broken
        }
    }
}

/// Why a payload cannot be read.
enum PayloadError: Error, Hashable, CustomStringConvertible {
    /// The compression has a number that nobody here speaks.
    case unknownCompression(Int32)
    /// The checksum has a number that nobody here speaks.
    case unknownChecksum(Int32)
    /// The payload is not what its sender saw.
    case checksumMismatch
    /// The compressed bytes are no such bytes.
    case broken
    /// Unpacked it would be longer than a payload may be.
    case tooLong(limitBytes: Int)

    var description: String {
        switch self {
        case .unknownCompression(let type): "its compression, type \(type), is not supported"
        case .unknownChecksum(let type): "its checksum, type \(type), is not supported"
        case .checksumMismatch: "its checksum does not match"
        case .broken: "its compressed bytes are broken"
        case .tooLong(let limit): "it is longer than \(limit) bytes once unpacked"
        }
    }
}
