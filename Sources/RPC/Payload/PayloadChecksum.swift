internal import CChecksum
package import NIOCore

/// CRC-32C over a packet's payload as it is sent, perhaps also its attachment (rpc-wire, 1.5).
package enum PayloadChecksum {
    /// The number of CRC-32C in `RpcMeta.checksum_type`.
    package static let crc32c: Int32 = 1

    /// The checksum in its wire form.
    ///
    /// Masked as LevelDB does: rotated right by 15, and a constant added, so that a checksum of
    /// bytes that hold checksums stays a good one.
    package static func value(payload: UnsafeRawBufferPointer, attachment: ByteBuffer?) -> UInt32 {
        var crc = tollgate_crc32c(0, payload.baseAddress, payload.count)
        if let attachment {
            crc = attachment.withUnsafeReadableBytes {
                tollgate_crc32c(crc, $0.baseAddress, $0.count)
            }
        }
        return (crc >> 15 | crc << 17) &+ 0xa282_ead8
    }
}
