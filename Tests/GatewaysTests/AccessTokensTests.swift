import Testing
import TollgateKernel

@testable import Gateways

@Suite(.timeLimit(.minutes(1)))
struct AccessTokensTests {
    private static let now = Timestamp(seconds: 1_000)
    private static let token = AccessTokens.Token(
        text: "token", refreshAt: Timestamp(seconds: 2_000))

    @Test
    func `when the caller who asks is cancelled, one who waits asks in its place`() async throws {
        let tokens = AccessTokens()
        let isAsking = Counter()
        let asked = Counter()
        await withThrowingTaskGroup(of: Void.self) { followers in
            await withThrowingTaskGroup(of: Void.self) { leader in
                leader.addTask {
                    _ = try await tokens.token(unlike: nil, now: Self.now) {
                        isAsking.add()
                        try await Task.sleep(for: .seconds(60))
                        return Self.token
                    }
                }
                _ = try? await eventually { isAsking.value > 0 ? true : nil }
                for _ in 0..<10 {
                    followers.addTask {
                        let token = try await tokens.token(unlike: nil, now: Self.now) {

                            asked.add()
                            return Self.token
                        }
                        #expect(token == Self.token)
                    }
                }
                try? await Task.sleep(for: .milliseconds(20))
                #expect(asked.value == 0)
                leader.cancelAll()
                await #expect(throws: CancellationError.self) { try await leader.next() }
            }
            await #expect(throws: Never.self) { try await followers.waitForAll() }
        }
        #expect(asked.value == 1)
    }

    @Test
    func `one who waits and is cancelled goes, and the others get the token`() async throws {
        let tokens = AccessTokens()
        let mayAnswer = Counter()
        try await withThrowingTaskGroup(of: String.self) { others in
            others.addTask {
                try await tokens.token(unlike: nil, now: Self.now) {
                    try await eventually { mayAnswer.value > 0 ? true : nil }
                    return Self.token
                }.text
            }
            await withThrowingTaskGroup(of: Void.self) { leaving in
                leaving.addTask {
                    _ = try await tokens.token(unlike: nil, now: Self.now) {
                        try await Task.sleep(for: .seconds(60))
                        return Self.token
                    }
                }
                try? await Task.sleep(for: .milliseconds(20))
                leaving.cancelAll()
                await #expect(throws: CancellationError.self) { try await leaving.next() }
            }
            mayAnswer.add()
            for try await text in others { #expect(text == "token") }
        }
    }

    @Test
    func `a failure reaches those who wait, and the next caller asks again`() async throws {
        struct Busy: Error {}
        let tokens = AccessTokens()
        await #expect(throws: Busy.self) {
            try await tokens.token(unlike: nil, now: Self.now) { throw Busy() }
        }
        let token = try await tokens.token(unlike: nil, now: Self.now) { Self.token }
        #expect(token == Self.token)
        let again = try await tokens.token(unlike: nil, now: Self.now) { throw Busy() }
        #expect(again == Self.token)
        await #expect(throws: Busy.self) {
            try await tokens.token(unlike: "token", now: Self.now) { throw Busy() }
        }
    }
}
