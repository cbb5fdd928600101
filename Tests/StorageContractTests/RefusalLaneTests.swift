import Accounts
import Chat
import TestSupport
import Testing
import TollgateKernel

@testable import Application
@testable import Storage

/// A store whose first write waits until a test lets it go.
private final class HeldStore: Store {
    private let base: any Store
    private let asked = Tally()
    private let gate = TestSupport.Gate()

    init(_ base: any Store) { self.base = base }

    /// Writes asked for so far.
    var writes: Int { asked.value }

    /// Lets the first write go.
    func open() { gate.open() }

    func write<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value {
        if asked.next() == 1 { try await gate.wait() }
        return try await base.write(body)
    }

    func begin<Value: Sendable>(
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> AppliedWrite<Value> { try await base.begin(body) }

    func read<Value: Sendable>(
        _ freshness: ReadFreshness,
        _ body: @escaping @Sendable (any Transaction) throws -> Value
    ) async throws -> Value { try await base.read(freshness, body) }
}

/// How refusals of many are written.
@Suite(.timeLimit(.minutes(2))) struct RefusalLaneTests {
    private static let model = ModelName(rawValue: "m")

    /// Makes so many accounts whose refusals take this lane.
    private func open(
        _ count: Int, lane: Int, in store: any OpenedStore
    ) async throws -> [AccountID] {
        let numbers = Array(
            (1...10_000 as ClosedRange<Int64>).lazy
                .filter { RefusalCounts.lane(of: AccountID(rawValue: $0)) == lane }
                .prefix(count))
        try await store.write { tx in
            for number in numbers {
                try tx.accounts.insert(account(number), openID: "openid-\(number)")
            }
        }
        return numbers.map { AccountID(rawValue: $0) }
    }

    private func counted(_ account: AccountID, in store: any OpenedStore) async throws -> [Int64] {
        try await store.read { tx in
            try tx.chat.refusals(of: account, after: 0, limit: 9).map(\.times)
        }
    }

    @Test(arguments: Engine.all)
    func `refusals of many that came meanwhile are all counted, in a few writes`(
        _ engine: Engine
    ) async throws {
        try await withStore(on: engine) { store in
            let people = try await open(40, lane: 0, in: store)
            let first = try #require(people.first)
            let held = HeldStore(store)
            let counts = RefusalCounts()
            try await withThrowingTaskGroup(of: Void.self) { group in
                @Sendable func refuse(_ account: AccountID) async {
                    await counts.count(
                        .quotaExhausted, of: Self.model, for: account, at: start, in: held)
                }
                group.addTask { await refuse(first) }
                #expect(try await eventually { held.writes == 1 })
                for person in people + people { group.addTask { await refuse(person) } }
                #expect(try await eventually { counts.waiting == 80 })
                held.open()
                try await group.waitForAll()
            }
            for person in people {
                let times: Int64 = person == first ? 3 : 2
                #expect(try await counted(person, in: store) == [times])
            }
            // More rows came together than one write takes along.
            #expect(people.count > Limits.refusalRowsOfOneWrite)
            #expect(held.writes == 3)
        }
    }

    @Test func `a slow write holds up nobody of another lane`() async throws {
        try await withStore(on: .sqlite) { store in
            let slow = try await open(1, lane: 0, in: store)[0]
            let quick = try await open(1, lane: 1, in: store)[0]
            let held = HeldStore(store)
            let counts = RefusalCounts()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    await counts.count(
                        .quotaExhausted, of: Self.model, for: slow, at: start, in: held)
                }
                #expect(try await eventually { held.writes == 1 })
                let told = Tally()
                group.addTask {
                    await counts.count(
                        .quotaExhausted, of: Self.model, for: quick, at: start, in: held)
                    told.add()
                }
                #expect(try await eventually { told.value == 1 })
                #expect(try await counted(quick, in: store) == [1])
                #expect(try await counted(slow, in: store) == [])
                held.open()
                try await group.waitForAll()
            }
            #expect(try await counted(slow, in: store) == [1])
        }
    }
}
