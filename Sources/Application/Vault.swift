internal import Chat
internal import Cryptography
internal import Synchronization
package import TollgateKernel

/// The key that seals, and the one before it after a rotation.
package struct MasterKeys: Hashable, Sendable {
    /// Seals and opens.
    package let present: [UInt8]
    /// Opens what was sealed before the last rotation.
    package let previous: [UInt8]?

    /// Makes a pair of 32 bytes each.
    package init(present: [UInt8], previous: [UInt8]? = nil) {
        precondition(
            present.count == 32 && previous.map { $0.count == 32 } != false,
            "a master key has 32 bytes")
        self.present = present
        self.previous = previous
    }
}

/// A secret opens under no master key that is here: it was sealed under another one.
///
/// It is for the operator's log, never for a customer.
package struct SealedElsewhere: Error, Hashable, Sendable, CustomStringConvertible {
    /// Whose secret it is: `channel:…` or `account:…:channel:…`.
    package var label: String

    package var description: String {
        "the secret of \(label) opens under no master key of this data folder: copy the folder "
            + "keys/ from the server where the key was rotated, or have the secret bound anew"
    }
}

/// Seals small secrets for the store: providers' keys, the operator's and people's own.
///
/// AES-256-GCM under the data folder's master key; the label is authenticated with the text, so a
/// sealed secret moved to another row does not open. What was sealed before the key was rotated
/// opens under the one before, until it is sealed anew.
///
/// The key may be rotated beside a server that runs: it looks for other keys when it meets what
/// does not open under its own, and before it seals.
package final class Vault: Sendable {
    private struct Held {
        var keys: MasterKeys
        /// When the source was last asked because something did not open.
        var lookedAt: Duration?
    }

    private let held: Mutex<Held>
    private let source: (@Sendable () -> MasterKeys?)?
    private let monotonic: any MonotonicClock
    private let random: any RandomSource

    /// Makes a vault over a master key of 32 bytes, and the one before it after a rotation.
    ///
    /// - Parameter source: Reads the keys as they lie in the data folder now; nil from it changes
    ///   nothing. Two files of 64 bytes, so that it may run where a call does.
    package init(
        masterKey: [UInt8], previousKey: [UInt8]? = nil, random: any RandomSource,
        source: (@Sendable () -> MasterKeys?)? = nil,
        monotonic: any MonotonicClock = SystemMonotonicClock()
    ) {
        held = Mutex(Held(keys: MasterKeys(present: masterKey, previous: previousKey)))
        self.source = source
        self.monotonic = monotonic
        self.random = random
    }

    /// Seals a secret for one place, named by the label: a 12-byte nonce, then text and tag.
    ///
    /// The source is asked each time: what is sealed under a key that was rotated away meanwhile
    /// would be lost with it, and a seal is followed by a write to the disk anyway.
    package func seal(_ secret: String, label: String) throws -> [UInt8] {
        let keys = held.withLock { held in
            if let keys = source?() { held.keys = keys }
            return held.keys
        }
        let nonce = random.bytes(12)
        return nonce
            + (try AES256GCM.seal(
                Array(secret.utf8), key: keys.present, nonce: nonce,
                associatedData: Array(label.utf8)))
    }

    /// Opens what ``seal(_:label:)`` sealed for the same place.
    ///
    /// - Throws: ``SealedElsewhere`` if the master key or the label is another, or a bit changed.
    package func open(_ sealed: [UInt8], label: String) throws(SealedElsewhere) -> String {
        let keys = held.withLock { $0.keys }
        if let text = Self.text(of: sealed, label: label, under: keys) { return text }
        if let others = others(than: keys),
            let text = Self.text(of: sealed, label: label, under: others)
        {
            return text
        }
        throw SealedElsewhere(label: label)
    }

    /// The same secret sealed under the present key; nil if it is so already.
    ///
    /// - Throws: ``SealedElsewhere`` if neither key opens it.
    package func resealed(_ sealed: [UInt8], label: String) throws -> [UInt8]? {
        let present = held.withLock { $0.keys.present }
        guard Self.text(of: sealed, label: label, under: present) == nil else { return nil }
        return try seal(open(sealed, label: label), label: label)
    }

    /// The keys as they are now, if they are others than these; the source is asked once in
    /// ``Limits/masterKeyRereadMilliseconds`` at most, whoever wants to know.
    private func others(than known: MasterKeys) -> MasterKeys? {
        guard let source else { return nil }
        return held.withLock { held in
            // Another call has read them since.
            if held.keys != known { return held.keys }
            let now = monotonic.elapsed()
            let pause = Duration.milliseconds(Limits.masterKeyRereadMilliseconds)
            if let last = held.lookedAt, now - last < pause { return nil }
            held.lookedAt = now
            guard let keys = source(), keys != known else { return nil }
            held.keys = keys
            return keys
        }
    }

    private static func text(of sealed: [UInt8], label: String, under keys: MasterKeys) -> String? {
        text(of: sealed, label: label, under: keys.present)
            ?? keys.previous.flatMap { text(of: sealed, label: label, under: $0) }
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
        throws(SealedElsewhere) -> String
    {
        try vault.open(sealed, label: OwnKey.label(account: account, channel: channel))
    }

    /// The key of a channel; at most ``Limits/openedKeys`` are remembered.
    ///
    /// - Throws: as ``Vault/open(_:label:)``.
    package func key(ofChannel channel: String, sealed: [UInt8]) throws(SealedElsewhere) -> String {
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
