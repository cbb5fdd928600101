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
        func side(_ account: LedgerAccount) -> Side<String.UTF8View> {
            switch account {
            case .customer(let id): .customer(id.rawValue)
            case .system(let account): .system(account.rawValue.utf8)
            }
        }
        encode(
            Fields(
                id: transfer.id.rawValue, key: transfer.key.utf8,
                kind: transfer.kind.rawValue.utf8, unit: transfer.unit.rawValue.utf8,
                from: side(transfer.from), to: side(transfer.to), amount: transfer.amount,
                reference: transfer.reference.utf8, at: transfer.at.milliseconds),
            previous: previous, sequence: sequence, postedAfter: postedAfter, into: &bytes)
    }

    /// The same bytes from a row: the texts are taken as they lie there.
    static func encode(
        previous: ChainHash, link: StoredLink, sequence: Int64, postedAfter: Int64,
        into bytes: inout [UInt8]
    ) {
        func side(_ name: LentText) -> Side<UnsafeRawBufferPointer> {
            name.reads("customer") ? .customer(link.customer) : .system(name.bytes)
        }
        let fields = Fields(
            id: link.id, key: link.key.bytes, kind: link.kind.bytes, unit: link.unit.bytes,
            from: side(link.from), to: side(link.to), amount: link.amount,
            reference: link.reference.bytes, at: link.at)
        withUnsafeBytes(of: previous) { previous in
            encode(
                fields, previous: previous, sequence: sequence, postedAfter: postedAfter,
                into: &bytes)
        }
    }

    private enum Side<Text: Collection<UInt8>> {
        case customer(Int64)
        case system(Text)
    }

    private struct Fields<Text: Collection<UInt8>> {
        var id: Int64
        var key: Text
        var kind: Text
        var unit: Text
        var from: Side<Text>
        var to: Side<Text>
        var amount: Int64
        var reference: Text
        var at: Int64
    }

    private static func encode<Text: Collection<UInt8>>(
        _ transfer: Fields<Text>, previous: some Collection<UInt8>, sequence: Int64,
        postedAfter: Int64, into bytes: inout [UInt8]
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
        func appendSide(_ prefix: StaticString, _ name: some Collection<UInt8>) {
            append(length: prefix.utf8CodeUnitCount + name.count)
            bytes.append(
                contentsOf: UnsafeRawBufferPointer(
                    start: prefix.utf8Start, count: prefix.utf8CodeUnitCount))
            bytes.append(contentsOf: name)
        }
        func append(_ side: Side<Text>) {
            switch side {
            case .customer(let id): appendSide("customer:", CrockfordBase32.encode(id).utf8)
            case .system(let name): appendSide("system:", name)
            }
        }
        func append(_ number: Int64) {
            withUnsafeBytes(of: UInt32(8).bigEndian) { bytes.append(contentsOf: $0) }
            withUnsafeBytes(of: number.bigEndian) { bytes.append(contentsOf: $0) }
        }
        append("tollgate.ledger.1".utf8)
        append(previous)
        append(sequence)
        append(transfer.id)
        append(transfer.key)
        append(transfer.kind)
        append(transfer.unit)
        append(transfer.from)
        append(transfer.to)
        append(transfer.amount)
        append(transfer.reference)
        append(transfer.at)
        append(postedAfter)
    }
}
