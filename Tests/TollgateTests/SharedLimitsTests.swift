import Foundation
import Sandbox
import TestSupport
import Testing
import TollgateClient
import TollgateKernel

/// Limits that two servers keep together: neither gives again what the other has given, also after
/// the other was killed.
@Suite(
    .serialized,
    .enabled(if: PostgresServer.isInstalled, Comment(rawValue: PostgresServer.skipped)))
struct SharedLimitsTests {
    /// Somebody for each limit.
    private struct Limited {
        /// May begin three chats a minute.
        let few: Guest
        /// May use one token a minute: so one chat is the last.
        let tokens: Guest
        /// Two chats at once.
        let two: Guest
        /// Three chats a minute by the API key.
        let keyed: Guest
        /// Three credits in all by the API key.
        let capped: Guest

        init(_ pair: TwoServers, _ client: TollgateClient, _ admin: AdminServiceClient)
            async throws
        {
            few = try await pair.signIn("few", through: client)
            tokens = try await pair.signIn("tokens", through: client)
            two = try await pair.signIn("two", through: client)
            let keyed = try await pair.signIn("keyed", through: client)
            let capped = try await pair.signIn("capped", through: client)
            try await admin.put(few, into: V1.Tier(name: "few", requestsPerMinute: 3))
            try await admin.put(tokens, into: V1.Tier(name: "tokens", tokensPerMinute: 1))
            try await admin.put(two, into: V1.Tier(name: "two", concurrentChats: 2))
            self.keyed = try await Guest(
                keyed, V1.CreateApiKeyRequest(name: "rate", requestsPerMinute: 3), through: client)
            self.capped = try await Guest(
                capped, V1.CreateApiKeyRequest(name: "cap", spendCapMicroCredits: 3_000_000),
                through: client)
        }
    }

    /// Whom a limit leaves so many chats at once: so many are answered, the others refused so.
    private func expect(
        _ left: Int, of guest: Guest, through clients: [TollgateClient], else code: String,
        at location: SourceLocation = #_sourceLocation
    ) async {
        let outcomes = await guest.askAtOnce(8, through: clients)
        let answered = outcomes.filter { if case .answered = $0 { true } else { false } }
        #expect(answered.count == left, "\(guest.name): \(outcomes)", sourceLocation: location)
        #expect(
            outcomes.filter { $0 == .failed(code) }.count == 8 - left,
            "\(guest.name): \(outcomes)", sourceLocation: location)
    }

    private func spend(_ chats: Int, _ guest: Guest, through client: TollgateClient) async {
        for _ in 0..<chats {
            let outcome = await guest.ask(through: client)
            guard case .answered = outcome else {
                Issue.record("\(guest.name): \(outcome)")
                continue
            }
        }
    }

    /// Limits of a minute are those of the clock's: what is compared belongs into one.
    private func minuteWith(seconds: Double) async throws {
        let rest = 60 - Date().timeIntervalSince1970.truncatingRemainder(dividingBy: 60)
        if rest < seconds { try await Task.sleep(for: .seconds(rest)) }
    }

    @Test(.timeLimit(.minutes(3)))
    func `Two servers give what a limit allows once, whoever is asked`() async throws {
        try await TwoServers.with(webKnowsBoth: false) { pair in
            let clients = try pair.addresses.map { try pair.loop.client("cli", of: $0) }
            let operators = try pair.loop.client("admin", of: pair.addresses[1])
            let people = try await Limited(pair, clients[0], AdminServiceClient(operators))
            try await minuteWith(seconds: 20)
            await expect(3, of: people.few, through: clients, else: "rate_limited")
            await expect(3, of: people.keyed, through: clients, else: "rate_limited")
            await expect(3, of: people.capped, through: clients, else: "quota_exhausted")
            await spend(1, people.tokens, through: clients[1])
            for client in clients {
                #expect(await people.tokens.ask(through: client) == .failed("rate_limited"))
            }
            for client in clients + [operators] { await client.close() }
        }
    }

    @Test(.timeLimit(.minutes(3)), arguments: [0, 1])
    func `What a server let through before it was killed counts at the other`(
        victim: Int
    ) async throws {
        try await TwoServers.with(webKnowsBoth: true) { pair in
            let dying = try pair.loop.client("cli", of: pair.addresses[victim])
            let survivor = try pair.loop.client("cli", of: pair.addresses[1 - victim])
            let operators = try pair.loop.client("admin", of: pair.addresses[1 - victim])
            let people = try await Limited(pair, dying, AdminServiceClient(operators))
            let code = try await pair.code(for: "late")
            try await minuteWith(seconds: 30)
            for guest in [people.few, people.keyed, people.capped] {
                await spend(2, guest, through: dying)
            }
            await spend(1, people.tokens, through: dying)
            try await chatsAtOnce(people.two, pair, victim, dying, survivor)
            await expect(1, of: people.few, through: [survivor], else: "rate_limited")
            await expect(1, of: people.keyed, through: [survivor], else: "rate_limited")
            await expect(1, of: people.capped, through: [survivor], else: "quota_exhausted")
            #expect(await people.tokens.ask(through: survivor) == .failed("rate_limited"))
            // A code of before is one of the service, not of a server.
            let late = try await Guest("late", code: code, through: survivor)
            #expect(try await late.quota(through: survivor).balanceMicroCredits > 0)
            for client in [dying, survivor, operators] { await client.close() }
        }
    }

    /// Kills a server while it answers: of two chats at once the dead one's is one, until its hold
    /// runs out.
    private func chatsAtOnce(
        _ two: Guest, _ pair: TwoServers, _ victim: Int, _ dying: TollgateClient,
        _ survivor: TollgateClient
    ) async throws {
        var slow = ChannelSwitches()
        slow.tokensPerSecond = 20
        try await pair.loop.sandbox.setChannel("a", slow)
        let (starts, started) = AsyncStream<Void>.makeStream()
        var next = starts.makeAsyncIterator()
        await withTaskGroup(of: Void.self) { group in
            group.addTask { _ = await two.ask("count to 200", through: dying) { started.yield() } }
            await next.next()
            await pair.loop.kill9(TwoServers.names[victim])
            group.addTask {
                _ = await two.ask("count to 200", through: survivor) { started.yield() }
            }
            await next.next()
            #expect(await two.ask(through: survivor) == .failed("rate_limited"))
            group.cancelAll()
        }
        try await pair.loop.sandbox.setChannel("a", ChannelSwitches())
    }
}
