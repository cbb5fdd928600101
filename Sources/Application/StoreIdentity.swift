internal import Auth
internal import Cryptography
internal import Operations
internal import TollgateKernel

/// Whether the identity key beside a store is the one the store was made with.
///
/// Under another key every person would be a stranger: a second welcome grant for each, and
/// balances that nobody reaches.
package struct StoreIdentity: Sendable {
    private let ports: Ports

    /// Makes the check.
    package init(_ ports: Ports) { self.ports = ports }

    /// Compares fingerprints.
    ///
    /// - Parameter isOwner: Whether a store that has no fingerprint yet gets this key's.
    /// - Throws: `internal_error` if the key is another.
    package func check(isOwner: Bool) async throws {
        let fingerprint = Hexadecimal.encode(try ports.identityKey.fingerprint())
        var stored = try await ports.store.read { tx in try tx.operations.fact(.identityKey) }
        if stored == nil, isOwner {
            stored = try await ports.store.write { tx in
                try tx.operations.insert(.identityKey, fingerprint)
                return try tx.operations.fact(.identityKey)
            }
        }
        guard stored == nil || stored == fingerprint else {
            throw Failure(
                .internalError,
                "keys/identity is not the key this store was made with; restore the right one.")
        }
    }
}
