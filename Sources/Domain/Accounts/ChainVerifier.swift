internal import Cryptography
package import TollgateKernel

/// A link's hash, 32 bytes, in a form that needs no memory of its own: an audit keeps one for each
/// customer.
package struct ChainHash: Hashable, Sendable {
    private var first: UInt64 = 0
    private var second: UInt64 = 0
    private var third: UInt64 = 0
    private var fourth: UInt64 = 0

    /// The hash before the first transfer, ``LedgerChain/origin``.
    package init() {}

    /// Takes 32 bytes; nil if there are more or fewer.
    package init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count == 32 else { return nil }
        withUnsafeMutableBytes(of: &self) { $0.copyMemory(from: bytes) }
    }
}

/// Where a customer's history stands.
package struct ChainEnd: Hashable, Sendable {
    /// The transfers so far.
    package var sequence: Int64 = 0
    /// The customer's balance after the last of them.
    package var postedAfter: Int64 = 0
    /// The last link's hash.
    package var hash = ChainHash()

    /// Begins before the first transfer.
    package init() {}

    /// Makes a value.
    package init(sequence: Int64, postedAfter: Int64, hash: ChainHash) {
        self.sequence = sequence
        self.postedAfter = postedAfter
        self.hash = hash
    }
}

/// A customer's transfer with its link, as its row has them; valid as long as the row.
package struct StoredLink {
    /// The transfer's number.
    package var id: Int64
    /// Its key.
    package var key: LentText
    /// Its kind's word.
    package var kind: LentText
    /// Its unit's word.
    package var unit: LentText
    /// The side it came from: `customer`, or one of ours.
    package var from: LentText
    /// The side it went to.
    package var to: LentText
    /// Who `customer` is.
    package var customer: Int64
    /// How much, in its unit.
    package var amount: Int64
    /// What it is about.
    package var reference: LentText
    /// When, in milliseconds since 1970.
    package var at: Int64
    /// Its place in the customer's history, from 1.
    package var sequence: Int64
    /// The customer's balance after it.
    package var postedAfter: Int64
    /// The link's hash, as it is stored.
    package var hash: UnsafeRawBufferPointer

    /// Makes a value.
    package init(
        id: Int64, key: LentText, kind: LentText, unit: LentText, from: LentText, to: LentText,
        customer: Int64, amount: Int64, reference: LentText, at: Int64, sequence: Int64,
        postedAfter: Int64, hash: UnsafeRawBufferPointer
    ) {
        self.id = id
        self.key = key
        self.kind = kind
        self.unit = unit
        self.from = from
        self.to = to
        self.customer = customer
        self.amount = amount
        self.reference = reference
        self.at = at
        self.sequence = sequence
        self.postedAfter = postedAfter
        self.hash = hash
    }

    /// Where the history stands after it, by what is stored.
    ///
    /// One changed row is one violation, not all that follow it. A hash of another length is none;
    /// it was told of by then.
    package var end: ChainEnd {
        ChainEnd(
            sequence: sequence, postedAfter: postedAfter, hash: ChainHash(hash) ?? ChainHash())
    }
}

/// Computes links of the hash chain anew, one after the other.
package struct ChainVerifier: ~Copyable {
    private let hasher: SHA256.Hasher
    private var encoded: [UInt8] = []

    /// Makes a verifier.
    /// - Throws: ``StoreError`` if the cryptographic library gives no context.
    package init() throws(StoreError) {
        do {
            hasher = try SHA256.Hasher()
        } catch {
            throw .engine("cannot hash: \(error)")
        }
    }

    /// Whether a transfer is the one that follows where its customer's history stood.
    /// - Throws: ``StoreError`` if the cryptographic library fails.
    package mutating func follows(
        _ link: StoredLink, _ before: ChainEnd
    ) throws(StoreError) -> Bool {
        let posted = before.postedAfter
        let (after, isTooMuch) =
            link.to.reads("customer")
            ? posted.addingReportingOverflow(link.amount)
            : posted.subtractingReportingOverflow(link.amount)
        guard link.sequence == before.sequence &+ 1, link.postedAfter == after, !isTooMuch else {
            return false
        }
        LedgerChain.encode(
            previous: before.hash, link: link, sequence: link.sequence, postedAfter: after,
            into: &encoded)
        do {
            return try hasher.isHash(link.hash, of: encoded)
        } catch {
            throw .engine("cannot hash: \(error)")
        }
    }
}
