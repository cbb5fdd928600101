internal import Chat
internal import Cryptography
internal import Synchronization
package import TollgateKernel

/// Seals small secrets for the store: providers' keys, the operator's and people's own.
///
/// AES-256-GCM under the data folder's master key; the label is authenticated with the text, so a
/// sealed secret moved to another row does not open.
package struct Vault: Sendable {
    private let masterKey: [UInt8]
    private let random: any RandomSource

    /// Makes a vault over a master key of 32 bytes.
    package init(masterKey: [UInt8], random: any RandomSource) {
        precondition(masterKey.count == 32, "a master key has 32 bytes")
        self.masterKey = masterKey
        self.random = random
    }

    /// Seals a secret for one place, named by the label: a 12-byte nonce, then text and tag.
    package func seal(_ secret: String, label: String) throws -> [UInt8] {
        let nonce = random.bytes(12)
        return nonce
            + (try AES256GCM.seal(
                Array(secret.utf8), key: masterKey, nonce: nonce,
                associatedData: Array(label.utf8)))
    }

    /// Opens what ``seal(_:label:)`` sealed for the same place.
    ///
    /// - Throws: `internal_error` if the master key or the label is another, or a bit changed.
    package func open(_ sealed: [UInt8], label: String) throws(Failure) -> String {
        do {
            guard sealed.count >= 12 + 16 else {
                throw Failure(.internalError, "A sealed secret is too short.")
            }
            let text = try AES256GCM.open(
                Array(sealed.dropFirst(12)), key: masterKey, nonce: Array(sealed.prefix(12)),
                associatedData: Array(label.utf8))
            return String(decoding: text, as: UTF8.self)
        } catch {
            throw Failure(
                .internalError,
                "The secret of \(label) does not open: it was sealed under another master key.")
        }
    }
}

/// Providers' keys as they were opened last, so that not each question opens one again.
///
/// A key is used only for the very bytes it was opened from: an operator's new key is opened as
/// soon as the catalogue shows it.
package final class OpenedKeys: Sendable {
    private struct Opened {
        var sealed: [UInt8]
        var key: String
    }

    private let vault: Vault
    private let opened = Mutex<[String: Opened]>([:])

    /// Makes an empty memory over a vault.
    package init(_ vault: Vault) { self.vault = vault }

    /// A person's own key for a channel, opened anew each time: people are many, and what is opened
    /// for one is of no use to another.
    ///
    /// - Throws: as ``Vault/open(_:label:)``.
    package func key(of account: AccountID, forChannel channel: String, sealed: [UInt8])
        throws(Failure) -> String
    {
        try vault.open(sealed, label: OwnKey.label(account: account, channel: channel))
    }

    /// The key of a channel; at most ``Limits/openedKeys`` are remembered.
    ///
    /// - Throws: as ``Vault/open(_:label:)``.
    package func key(ofChannel channel: String, sealed: [UInt8]) throws(Failure) -> String {
        let known = opened.withLock { $0[channel] }
        if let known, known.sealed == sealed { return known.key }
        let key = try vault.open(sealed, label: "channel:\(channel)")
        opened.withLock { opened in
            if opened.count >= Limits.openedKeys { opened.removeAll() }
            opened[channel] = Opened(sealed: sealed, key: key)
        }
        return key
    }
}
