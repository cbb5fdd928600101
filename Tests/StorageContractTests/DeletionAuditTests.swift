import Accounts
import Application
import Auth
import Operations
import TestSupport
import Testing
import TollgateKernel

@testable import Storage

@Suite struct DeletionAuditTests {
    private static let by = ActedBy(
        credential: "admin", person: "olga", reason: "asked by letter", correlationID: 7)

    /// Account 1 with credits, a login session and an API key.
    private static func open(in store: any OpenedStore) async throws {
        try await store.write { tx in
            try tx.accounts.insert(account(), openID: "openid-1")
            let ledger = Ledger(
                tx.ledger, accounts: tx.accounts, identifiers: CountingIdentifiers())
            _ = try ledger.grant(
                Credits(micro: 100), to: account().id, kind: .welcome, from: .promotion,
                key: "welcome:1", origin: .welcome, order: nil, reference: "", expiresAt: nil,
                at: start)
            try tx.auth.insert(
                LoginSession(
                    id: LoginSessionID(rawValue: 1), digest: digest(1), account: account().id,
                    device: "", createdAt: start, expiresAt: .after(1)))
            try tx.apiKeys.insert(
                APIKey(
                    id: APIKeyID(rawValue: 1), digest: digest(1), account: account().id,
                    name: "robot", models: [], spendCap: nil, requestsPerMinute: nil,
                    createdAt: start, expiresAt: nil))
        }
    }

    /// As ``ports(_:)``, with numbers beyond those that ``open(in:)`` has used.
    private static func later(_ store: any Store) throws -> Ports {
        var ports = try ports(store)
        ports.identifiers = TimeSortedIdentifiers(clock: ports.clock)
        return ports
    }

    private static func complaints(_ store: any Store) async throws -> [String] {
        try await OperatorQueries(try later(store)).audit().filter { $0.violationCount > 0 }
            .flatMap { finding in finding.violations.map { "\(finding.check): \($0)" } }
    }

    @Test(arguments: Engine.all) func aDeletionLeavesCleanBooksOnEitherEngine(
        _ engine: Engine
    ) async throws {
        try await withStore(on: engine) { store in
            try await Self.open(in: store)
            let deletion = DeleteAccount(try Self.later(store))
            let deleted = try await deletion.delete(account().id, by: Self.by)
            #expect(deleted.forfeited == Credits(micro: 100))
            let row = try await store.read { tx in try tx.accounts.account(account().id) }
            #expect(row?.status == .deleted)
            #expect(try await Self.complaints(store) == [])
            let places = try await store.read { tx in
                try TextScan.columns(holding: "openid-1", tx)
            }
            #expect(places == [])
        }
    }

    @Test(arguments: [
        "UPDATE accounts SET openid = 'openid-1'",
        "UPDATE accounts SET status = 'active', deleted_at = NULL",
        "UPDATE api_keys SET revoked_at = NULL",
        """
        INSERT INTO login_sessions (id, digest, account, device, created_at, expires_at)
        VALUES (9, zeroblob(32), 1, '', 1, 1)
        """,
    ])
    func whatIsLeftOfADeletedAccountIsSeen(tampering: String) async throws {
        let folder = try TemporaryFolder()
        let store = try await folder.open()
        try await Self.open(in: store)
        _ = try await DeleteAccount(try Self.later(store)).delete(account().id, by: Self.by)
        #expect(try await Self.complaints(store) == [])
        await store.close()
        try await folder.tamper(tampering)
        let opened = try await folder.open()
        let complaints = try await Self.complaints(opened)
        await opened.close()
        #expect(complaints.count { $0.hasPrefix("C2: ") } == 1, "\(complaints)")
    }
}
