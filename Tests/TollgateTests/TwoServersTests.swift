import Foundation
import Sandbox
import TestSupport
import Testing
import TollgateClient
import TollgateKernel

/// Two servers on one PostgreSQL, as processes: what one decides holds at the other, and what a
/// killed one left behind is brought to its end.
@Suite(
    .serialized,
    .enabled(if: PostgresServer.isInstalled, Comment(rawValue: PostgresServer.skipped)))
struct TwoServersTests {
    @Test(.timeLimit(.minutes(3)))
    func `Two servers on one store are one service to who signs in, chats, and is limited`()
        async throws
    {
        try await TwoServers.with(webKnowsBoth: false) { pair in
            let clients = try pair.addresses.map { try pair.loop.client("cli", of: $0) }
            let operators = try pair.loop.client("admin", of: pair.addresses[1])
            let admin = AdminServiceClient(operators)
            try await codesAndSessions(pair, clients)
            try await balance(pair, clients)
            try await requestsPerMinute(pair, clients, admin)
            try await concurrentChats(pair, clients, admin)
            try await channelHealth(pair, clients)
            try await audit(pair, at: 0)
            for client in clients + [operators] { await client.close() }
        }
    }

    // MARK: - What both know

    private func codesAndSessions(_ pair: TwoServers, _ clients: [TollgateClient]) async throws {
        // The web tier knows the first server alone, so the code was made there.
        let code = try await pair.code(for: "ann")
        let ann = try await Guest("ann", code: code, through: clients[1])
        let again = await #expect(throws: TollgateError.self) {
            _ = try await Guest("ann", code: code, through: clients[0])
        }
        #expect(again?.code == "unauthenticated")

        let price: Int64 = 1_000_000
        var left = Guest.welcomeCredits * price
        for client in clients {
            left -= price
            #expect(await ann.ask(through: client) == .answered(charged: price, balance: left))
        }

        // Both servers at once: one of them redeems it.
        let second = try await pair.code(for: "ann")
        let logins = await withTaskGroup(of: Guest?.self) { group in
            for client in clients {
                group.addTask { try? await Guest("ann", code: second, through: client) }
            }
            return await group.reduce(into: [Guest]()) { if let guest = $1 { $0.append(guest) } }
        }
        #expect(logins.count == 1)
        let other = try #require(logins.first)
        #expect(other.account == ann.account)
        // Signed out at the second server, the session is over at the first, and only that one.
        _ = try await AuthServiceClient(clients[1])
            .logout(V1.LogoutRequest(), options: other.options)
        #expect(await other.ask(through: clients[0]) == .failed("unauthenticated"))
        #expect(try await ann.quota(through: clients[0]).balanceMicroCredits == left)
    }

    private func balance(_ pair: TwoServers, _ clients: [TollgateClient]) async throws {
        let bob = try await pair.signIn("bob", through: clients[0])
        let outcomes = await bob.askAtOnce(16, through: clients)
        let answered = outcomes.filter { if case .answered = $0 { true } else { false } }
        #expect(answered.count == Int(Guest.welcomeCredits), "\(outcomes)")
        #expect(
            outcomes.filter { $0 == .failed("quota_exhausted") }.count == 16 - answered.count,
            "\(outcomes)")
        let quota = try await bob.quota(through: clients[1])
        #expect(quota.postedMicroCredits == 0)
        #expect(quota.heldMicroCredits == 0)
    }

    private func requestsPerMinute(
        _ pair: TwoServers, _ clients: [TollgateClient], _ admin: AdminServiceClient
    ) async throws {
        let cui = try await pair.signIn("cui", through: clients[1])
        try await admin.put(cui, into: V1.Tier(name: "few", requestsPerMinute: 3))
        // The limit counts minutes of the clock: the calls belong into one.
        let rest = 60 - Date().timeIntervalSince1970.truncatingRemainder(dividingBy: 60)
        if rest < 8 { try await Task.sleep(for: .seconds(rest)) }
        let outcomes = await cui.askAtOnce(10, through: clients)
        #expect(outcomes.filter { $0 == .failed("rate_limited") }.count == 7, "\(outcomes)")
        for client in clients {
            #expect(await cui.ask(through: client) == .failed("rate_limited"))
        }
        let quota = try await cui.quota(through: clients[0])
        #expect(quota.postedMicroCredits == (Guest.welcomeCredits - 3) * 1_000_000)
    }

    private func concurrentChats(
        _ pair: TwoServers, _ clients: [TollgateClient], _ admin: AdminServiceClient
    ) async throws {
        let dan = try await pair.signIn("dan", through: clients[0])
        try await admin.put(dan, into: V1.Tier(name: "two", concurrentChats: 2))
        var slow = ChannelSwitches()
        slow.tokensPerSecond = 20
        try await pair.loop.sandbox.setChannel("a", slow)
        let (starts, started) = AsyncStream<Void>.makeStream()
        await withTaskGroup(of: Void.self) { group in
            for client in clients {
                group.addTask {
                    _ = await dan.ask("count to 200", through: client) { started.yield() }
                }
            }
            var both = starts.makeAsyncIterator()
            await both.next()
            await both.next()
            for client in clients {
                #expect(await dan.ask(through: client) == .failed("rate_limited"))
            }
            group.cancelAll()
        }
        try await pair.loop.sandbox.setChannel("a", ChannelSwitches())
        // Who left has made room, at either server.
        _ = try await pair.loop.eventually(within: 5) {
            try await dan.quota(through: clients[1]).heldMicroCredits == 0 ? true : nil
        }
        for outcome in await dan.askAtOnce(2, through: clients) {
            #expect(outcome != .failed("rate_limited"))
        }
    }

    /// How a channel does is known to each server by its own calls, and to no other: a server that
    /// has lost its way to a provider puts it aside for nobody else.
    private func channelHealth(_ pair: TwoServers, _ clients: [TollgateClient]) async throws {
        let eva = try await pair.signIn("eva", through: clients[0])
        var overloaded = ChannelSwitches()
        overloaded.failStatus = 429
        overloaded.retryAfterSeconds = 50
        try await pair.loop.sandbox.setChannel("a", overloaded)
        for (client, channels) in [
            (clients[0], ["a", "b"]), (clients[0], ["b"]), (clients[1], ["a", "b"]),
            (clients[1], ["b"]),
        ] {
            let before = try await pair.loop.sandbox.modelCalls().last?.number ?? 0
            let outcome = await eva.ask(through: client)
            guard case .answered = outcome else {
                Issue.record("\(outcome)")
                continue
            }
            let calls = try await pair.loop.sandbox.modelCalls().filter { $0.number > before }
            #expect(calls.map(\.channel) == channels)
        }
        try await pair.loop.sandbox.setChannel("a", ChannelSwitches())
    }

    private func audit(_ pair: TwoServers, at server: Int) async throws {
        let command = try pair.loop.command(
            ["admin", "audit", "--server", pair.addresses[server]], name: "audit")
        #expect(await command.ended() == 0, "\(pair.loop.output("audit"))")
        #expect(pair.loop.output("audit").contains("The books are clean."))
    }
}

// MARK: - One of them killed

extension TwoServersTests {
    private static let given: Int64 = 500
    private static func now() -> Int64 { Int64(Date().timeIntervalSince1970 * 1_000) }

    @Test(.timeLimit(.minutes(3)), arguments: [0, 1])
    func `A server and a process of jobs are killed under load, and nothing acknowledged is lost`(
        victim: Int
    ) async throws {
        try await TwoServers.with(webKnowsBoth: true) { pair in
            let clients = try pair.addresses.map { try pair.loop.client("cli", of: $0) }
            let survivor = clients[1 - victim]
            let operators = try pair.loop.client("admin", of: pair.addresses[1 - victim])
            let admin = AdminServiceClient(operators)
            try await pair.startJobs()
            var guests: [Guest] = []
            for name in ["ann", "bob", "cui", "dan"] {
                let guest = try await pair.signIn(name, through: clients[guests.count % 2])
                try await admin.put(guest, into: V1.Tier(name: "free"))
                try await admin.give(guest, credits: Self.given)
                guests.append(guest)
            }
            let load = PairLoad(guests, clients)
            try await killUnderLoad(pair, load, victim)
            let dead = try judge(pair, load, victim)
            try await moveTheLease(pair, guests, survivor, dead: dead)
            for guest in guests { try await compare(guest, pair, load, survivor) }
            // The way in is open as well: the web tier has the other server.
            let late = try await pair.signIn("fay", through: survivor)
            #expect(try await late.quota(through: survivor).balanceMicroCredits > 0)
            try await audit(pair, at: 1 - victim)
            for client in clients + [operators] { await client.close() }
        }
    }

    /// Kills a server in the midst of answers, and lets the load go on at the other.
    private func killUnderLoad(
        _ pair: TwoServers, _ load: PairLoad, _ victim: Int
    ) async throws {
        // Slow enough that a kill finds answers under way.
        var pace = ChannelSwitches()
        pace.tokensPerSecond = 40
        try await pair.loop.sandbox.setChannel("a", pace)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await load.run() }
            defer { load.stop() }
            _ = try await pair.loop.eventually { () -> Bool? in
                let isUnderLoad =
                    load.acknowledged(by: 0).count >= 5 && load.acknowledged(by: 1).count >= 5
                    && load.running(at: victim).count >= 2
                return isUnderLoad ? true : nil
            }
            await pair.loop.kill9(TwoServers.names[victim])
            let before = load.acknowledged(by: 1 - victim).count
            // Everybody goes on at the survivor, who came from the dead one as well.
            _ = try await pair.loop.eventually(within: 15) {
                load.acknowledged(by: 1 - victim).count >= before + 12 ? true : nil
            }
        }
        #expect(load.entries.allSatisfy { $0.outcome != nil })
    }

    /// Compares the books with what the load was told; the requests whose holds the dead server
    /// left open.
    private func judge(
        _ pair: TwoServers, _ load: PairLoad, _ victim: Int
    ) throws -> Set<String> {
        let rows = try pair.books(
            """
            SELECT request_id, holds.state, holds.settled, coalesce(usage_records.charged, -1)
            FROM holds LEFT JOIN usage_records ON usage_records.hold = holds.id
            """
        ).split(separator: "\n").map { $0.split(separator: "|").map(String.init) }
        let books = Dictionary(uniqueKeysWithValues: rows.map { ($0[0], Array($0[1...])) })
        for entry in load.entries {
            guard let charged = entry.charged else { continue }
            #expect(
                books[entry.id] == ["settled", "\(charged)", "\(charged)"], "server \(entry.server)"
            )
        }
        let open = Set(rows.filter { $0[1] == "held" }.map { $0[0] })
        let broken = load.entries.filter { $0.server == victim && $0.charged == nil }.map(\.id)
        #expect(!open.isEmpty, "the kill found no answer under way")
        #expect(open.isSubset(of: broken), "the survivor left a hold open")
        return open
    }

    /// Compares what the survivor says of a balance with what the guest's chats were charged.
    private func compare(
        _ guest: Guest, _ pair: TwoServers, _ load: PairLoad, _ survivor: TollgateClient
    ) async throws {
        let quota = try await guest.quota(through: survivor)
        #expect(quota.heldMicroCredits == 0)
        let one = try #require(load.entries.first { $0.guest == guest.name && $0.charged != nil })
        let charged = try pair.books(
            """
            SELECT sum(settled) FROM holds
            WHERE account = (SELECT account FROM holds WHERE request_id = '\(one.id)')
            """)
        let had = (Guest.welcomeCredits + Self.given) * 1_000_000
        #expect("\(had - quota.postedMicroCredits)" == charged)
    }

    /// Lets the dead server's holds run out, and kills the process of jobs that is about to end
    /// them: the other one does, once the lease was silent for its length.
    private func moveTheLease(
        _ pair: TwoServers, _ guests: [Guest], _ survivor: TollgateClient, dead: Set<String>
    ) async throws {
        let names = dead.map { "'\($0)'" }.joined(separator: ", ")
        // A lock on a balance keeps the run from ending, so that the kill finds it under way.
        let lock = try pair.lock(
            """
            SELECT 1 FROM customer_ledgers WHERE account IN
                (SELECT account FROM holds WHERE request_id IN (\(names))) FOR UPDATE
            """)
        // What a quarter of an hour would do.
        _ = try pair.books("UPDATE holds SET expires_at = created_at WHERE state = 'held'")
        let holder = try await pair.loop.eventually { () async throws -> String? in
            let lease = """
                SELECT holder FROM jobs JOIN job_runs ON job = name
                    AND job_runs.fencing_token = jobs.fencing_token AND state = 'running'
                WHERE name = 'hold-expire' AND started_at < \(Self.now() - 400)
                """
            // A run that has nothing to wait for is over by then.
            let seen = try pair.books(lease)
            return seen.isEmpty ? nil : seen
        }
        let number = holder.split(separator: ":").dropLast().last.flatMap { Int32($0) }
        let name = try #require(number.flatMap { pair.loop.name(ofProcess: $0) }, "\(holder)")
        await pair.loop.kill9(name)
        try lock.release()
        let open = try pair.books("SELECT count(*) FROM holds WHERE state = 'held'")
        #expect(open == "\(dead.count)", "the killed run ended holds")
        for guest in guests {
            guard case .answered = await guest.ask(through: survivor) else {
                Issue.record("\(guest.name) is not answered while the lease is silent")
                continue
            }
        }
        _ = try await pair.loop.eventually(within: 60) { () async throws -> Bool? in
            let left = try pair.books("SELECT count(*) FROM holds WHERE state = 'held'")
            return left == "0" ? true : nil
        }
        let ends = try pair.books(
            "SELECT DISTINCT state, settled FROM holds WHERE request_id IN (\(names))")
        #expect(ends == "expired|0")
        let runs = try pair.books(
            """
            SELECT count(*) FROM job_runs AS old JOIN job_runs AS new
                ON new.job = old.job AND new.fencing_token = old.fencing_token + 1
            WHERE old.job = 'hold-expire' AND old.state = 'abandoned' AND new.state <> 'abandoned'
            """)
        #expect(runs == "1", "the lease did not move")
    }
}

extension AdminServiceClient {
    private static let by = V1.ActedBy(person: "test", reason: "two servers")

    /// Puts somebody into a tier that costs what the price list says.
    func put(_ guest: Guest, into tier: V1.Tier) async throws {
        var tier = tier
        (tier.priceNumerator, tier.priceDenominator) = (1, 1)
        _ = try await setTier(V1.SetTierRequest(by: Self.by, tier: tier))
        _ = try await setAccountTier(
            V1.SetAccountTierRequest(by: Self.by, accountId: guest.account, tier: tier.name))
    }

    /// Gives somebody credits.
    func give(_ guest: Guest, credits: Int64) async throws {
        _ = try await adjustCredits(
            V1.AdjustCreditsRequest(
                by: Self.by, accountId: guest.account, amountMicroCredits: credits * 1_000_000,
                requestId: "give-\(guest.name)"))
    }
}
