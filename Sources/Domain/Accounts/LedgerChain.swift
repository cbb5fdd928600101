internal import Cryptography
internal import TollgateKernel

/// The hash chain over a customer's transfers: changing, dropping or reordering one of them breaks
/// every later link.
package enum LedgerChain {
    /// The hash before the first transfer: 32 zero bytes.
    package static let origin = [UInt8](repeating: 0, count: 32)

    /// The hash of a transfer at its place in a customer's history, 32 bytes.
    ///
    /// SHA-256 over ``encoding(previous:transfer:sequence:postedAfter:)``.
    package static func hash(
        previous: [UInt8], transfer: Transfer, sequence: Int64, postedAfter: Int64
    ) throws -> [UInt8] {
        try SHA256.hash(
            encoding(
                previous: previous, transfer: transfer, sequence: sequence,
                postedAfter: postedAfter))
    }

    /// What is hashed: a label, then every field in a fixed order, each behind its length in four
    /// bytes (big-endian), numbers as eight bytes (big-endian), so that no two different histories
    /// have the same bytes.
    package static func encoding(
        previous: [UInt8], transfer: Transfer, sequence: Int64, postedAfter: Int64
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(320)
        encode(
            previous: previous, transfer: transfer, sequence: sequence, postedAfter: postedAfter,
            into: &bytes)
        return bytes
    }

    /// ``encoding(previous:transfer:sequence:postedAfter:)`` in the place of what an array holds:
    /// who walks millions of transfers keeps one array for all.
    static func encode(
        previous: [UInt8], transfer: Transfer, sequence: Int64, postedAfter: Int64,
        into bytes: inout [UInt8]
    ) {
        bytes.removeAll(keepingCapacity: true)
        func append(length: Int) {
            let length = UInt32(truncatingIfNeeded: length)
            withUnsafeBytes(of: length.bigEndian) { bytes.append(contentsOf: $0) }
        }
        func append(_ field: some Collection<UInt8>) {
            append(length: field.count)
            bytes.append(contentsOf: field)
        }
        // The kinds of sides differ in their prefix: a customer never reads as one of ours.
        func append(_ side: LedgerAccount) {
            let (prefix, name) =
                switch side {
                case .customer(let id): ("customer:", id.description)
                case .system(let account): ("system:", account.rawValue)
                }
            append(length: prefix.utf8.count + name.utf8.count)
            bytes.append(contentsOf: prefix.utf8)
            bytes.append(contentsOf: name.utf8)
        }
        func append(_ number: Int64) {
            withUnsafeBytes(of: UInt32(8).bigEndian) { bytes.append(contentsOf: $0) }
            withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
        }
        append("tollgate.ledger.1".utf8)
        append(previous)
        append(sequence)
        append(transfer.id.rawValue)
        append(transfer.key.utf8)
        append(transfer.kind.rawValue.utf8)
        append(transfer.unit.rawValue.utf8)
        append(transfer.from)
        append(transfer.to)
        append(transfer.amount)
        append(transfer.reference.utf8)
        append(transfer.at.milliseconds)
        append(postedAfter)
    }
}
