import Application
import TestSupport
import Testing
import TollgateKernel
import Weixin

@testable import Storage

/// What a write on PostgreSQL does that finds a key taken: by somebody it could not see yet, or by
/// its own mistake.
@Suite(
    .serialized, .timeLimit(.minutes(1)),
    .enabled(if: PostgresServer.isInstalled, Comment(rawValue: PostgresServer.skipped)))
struct PostgreSQLTakenKeyTests {
    /// Somebody else keeps a row, after a transaction of ours has begun.
    private func take(_ key: String, in schema: TemporarySchema) throws {
        try schema.server.run(
            "INSERT INTO received_pushes (push_key, answer, code_attempt, received_at) "
                + "VALUES ('\(key)', 'another', 0, 5)", schema: schema.name)
    }

    @Test func `A write that loses another key each time is made again until it wins`()
        async throws
    {
        let schema = try TemporarySchema()
        let store = try await schema.open()
        let runs = Tally()
        // As a place in an account's history is lost: each time the next one.
        let ending = await Ending {
            try await store.write { tx in
                let run = runs.next()
                if run <= 6 { try take("place \(run)", in: schema) }
                try tx.pushes.insert(push("place \(run)"))
            }
        }
        #expect(ending == .value)
        #expect(runs.value == 7)
        #expect(try await store.hasPush("place 7"))
        await store.close()
        try schema.remove()
    }

    @Test func `A write that asks for the same taken key again is told so`() async throws {
        let schema = try TemporarySchema()
        let store = try await schema.open()
        let runs = Tally()
        let ending = await Ending {
            try await store.write { tx in
                if runs.next() == 1 { try take("mine", in: schema) }
                try tx.pushes.insert(push("mine"))
            }
        }
        guard case .store(let text) = ending else {
            Issue.record("\(ending)")
            return
        }
        #expect(text.hasPrefix("constraint: "))
        #expect(runs.value == 2)
        await store.close()
        try schema.remove()
    }
}
