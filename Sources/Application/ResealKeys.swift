internal import Chat
package import Operations
internal import TollgateKernel

/// Seals every stored key under the present master key, after a rotation.
///
/// It may run beside servers: keys are read in parts, sealed outside the store, and put in the
/// place of just the bytes they were read as, so that a key that changes meanwhile stays the new
/// one, which is sealed under the present key anyway. Run again it finds nothing to do.
package struct ResealKeys: Sendable {
    /// What was found.
    package struct Report: Hashable, Sendable {
        /// Keys there are: channels' and people's own.
        package var keys = 0
        /// Those that were sealed anew.
        package var resealed = 0
        /// Whose keys open under neither master key: `channel:…` or `account:…:channel:…`, at most
        /// ``Limits/unreadableKeysTold``.
        package var unreadable: [String] = []
        /// How many those are.
        package var unreadableCount = 0
    }

    private let ports: Ports
    private let vault: Vault

    /// Makes the use case.
    package init(_ ports: Ports, vault: Vault) {
        self.ports = ports
        self.vault = vault
    }

    /// Writes down that the master key is rotated; the key itself lies outside the store.
    ///
    /// It is written before the key is changed: an act without a rotation can be explained, a
    /// rotation without an act cannot.
    package static func recordRotation(_ ports: Ports, by operatorOf: ActedBy) async throws {
        try await record(.masterKeyRotated, after: "a fresh key", ports, operatorOf)
    }

    private static func record(
        _ kind: AdminAct.Kind, after: String, _ ports: Ports, _ operatorOf: ActedBy
    ) async throws {
        let by = try operatorOf.checked()
        let id = AdminActID(rawValue: ports.identifiers.next())
        let now = ports.clock.now()
        try await ports.store.write { tx in
            try tx.adminLog.insert(
                AdminAct(
                    id: id, key: id.description, kind: kind, by: by, object: "master key",
                    before: "the key before", after: after, at: now))
        }
    }

    /// Goes over every key once, and writes the act before it changes the first: a run that is cut
    /// off leaves it too.
    package func run(by operatorOf: ActedBy) async throws -> Report {
        try await Self.record(.keysResealed, after: "the present key", ports, operatorOf)
        var report = Report()
        var channel = ""
        while true {
            let keys = try await ports.store.read { [channel] tx in
                try tx.chat.channelKeys(after: channel, limit: Limits.rowsPerJobTransaction)
            }
            let fresh = reseal(
                keys, sealed: \.sealed, label: { Vault.label(ofChannel: $0.channel) }, &report)
            report.resealed += try await replace(fresh) { tx, key, sealed in
                try tx.chat.replace(key, with: sealed)
            }
            guard let last = keys.last else { break }
            channel = last.channel
        }
        var own: OwnKey?
        while true {
            let keys = try await ports.store.read { [own] tx in
                try tx.ownKeys.ownKeys(after: own, limit: Limits.rowsPerJobTransaction)
            }
            let fresh = reseal(
                keys, sealed: \.sealed,
                label: { OwnKey.label(account: $0.account, channel: $0.channel) }, &report)
            report.resealed += try await replace(fresh) { tx, key, sealed in
                try tx.ownKeys.replace(key, with: sealed)
            }
            guard let last = keys.last else { break }
            own = last
        }
        return report
    }

    /// The keys that are sealed under the key before, each with its new sealing.
    private func reseal<Key>(
        _ keys: [Key], sealed: (Key) -> [UInt8], label: (Key) -> String, _ report: inout Report
    ) -> [(Key, [UInt8])] {
        report.keys += keys.count
        return keys.compactMap { key in
            do {
                return try vault.resealed(sealed(key), label: label(key)).map { (key, $0) }
            } catch {
                report.unreadableCount += 1
                if report.unreadable.count < Limits.unreadableKeysTold {
                    report.unreadable.append(label(key))
                }
                return nil
            }
        }
    }

    /// Stores what was sealed anew in one transaction; how many were still what was read.
    private func replace<Key: Sendable>(
        _ fresh: [(Key, [UInt8])],
        _ body: @escaping @Sendable (any Transaction, Key, [UInt8]) throws -> Bool
    ) async throws -> Int {
        guard !fresh.isEmpty else { return 0 }
        return try await ports.store.write { tx in
            try fresh.reduce(0) { count, pair in
                try body(tx, pair.0, pair.1) ? count + 1 : count
            }
        }
    }
}
