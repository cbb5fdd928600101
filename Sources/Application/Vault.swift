internal import Chat
internal import Cryptography
internal import Synchronization
package import TollgateKernel

/// Seals small secrets for the store: providers' keys, the operator's and people's own.
///
/// AES-256-GCM under the data folder's master key; the label is authenticated with the text, so a
/// sealed secret moved to another row does not open. What was sealed before the key was rotated
/// opens under the one before, until it is sealed anew.
package struct Vault: Sendable {
    private let masterKey: [UInt8]
    private let previousKey: [UInt8]?
    private let random: any RandomSource

    /// Makes a vault over a master key of 32 bytes, and the one before it after a rotation.
    package init(
        masterKey: [UInt8], previousKey: [UInt8]? = nil, random: any RandomSource
    ) {
        precondition(
            masterKey.count == 32 && previousKey.map { $0.count == 32 } != false,
            "a master key has 32 bytes")
        self.masterKey = masterKey
        self.previousKey = previousKey
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
        if let text = Self.text(of: sealed, label: label, under: masterKey) { return text }
        if let previousKey, let text = Self.text(of: sealed, label: label, under: previousKey) {
            return text
        }
        throw Failure(
            .internalError,
            "The secret of \(label) does not open: it was sealed under another master key.")
    }

    /// The same secret sealed under the present key; nil if it is so already.
    ///
    /// - Throws: `internal_error` if neither key opens it.
    package func resealed(_ sealed: [UInt8], label: String) throws -> [UInt8]? {
        guard Self.text(of: sealed, label: label, under: masterKey) == nil else { return nil }
        return try seal(open(sealed, label: label), label: label)
    }

    /// The secret, if it was sealed under this key for this place and nothing changed since.
    private static func text(of sealed: [UInt8], label: String, under key: [UInt8]) -> String? {
        guard sealed.count >= AES256GCM.nonceBytes + AES256GCM.tagBytes,
            let text = try? AES256GCM.open(
                Array(sealed.dropFirst(AES256GCM.nonceBytes)), key: key,
                nonce: Array(sealed.prefix(AES256GCM.nonceBytes)),
                associatedData: Array(label.utf8))
        else { return nil }
        return String(decoding: text, as: UTF8.self)
    }

    /// What the sealing of a channel's key is bound to.
    package static func label(ofChannel channel: String) -> String { "channel:\(channel)" }
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
        let key = try vault.open(sealed, label: Vault.label(ofChannel: channel))
        opened.withLock { opened in
            if opened.count >= Limits.openedKeys { opened.removeAll() }
            opened[channel] = Opened(sealed: sealed, key: key)
        }
        return key
    }
}
