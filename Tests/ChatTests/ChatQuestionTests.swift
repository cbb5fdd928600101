import Chat
import Testing
import TollgateKernel

@Suite("Questions")
struct ChatQuestionTests {
    private func code(_ turns: [(role: String, content: String)]) -> Failure.Code? {
        do throws(Failure) {
            _ = try QuestionLimits.messages(from: turns)
            return nil
        } catch {
            return error.code
        }
    }

    private func code(maxTokens: Int64) -> Failure.Code? {
        do throws(Failure) {
            try QuestionLimits.validate(maxTokens: maxTokens)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func aConversationIsRead() throws {
        let messages = try QuestionLimits.messages(
            from: [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hi!"), ("user", "So?")])
        #expect(messages.map(\.role) == [.system, .user, .assistant, .user])
        #expect(messages.map(\.content) == ["Be brief.", "Hi", "Hi!", "So?"])
    }

    @Test func thereIsAtLeastOneTurnAndAtMost256() {
        #expect(code([]) == .invalidRequest)
        #expect(code(Array(repeating: ("user", "x"), count: 256)) == nil)
        #expect(code(Array(repeating: ("user", "x"), count: 257)) == .invalidRequest)
    }

    @Test func aConversationHasAtMost256KiB() {
        let most = String(repeating: "x", count: 256 * 1_024)
        #expect(code([("user", most)]) == nil)
        #expect(code([("user", most + "x")]) == .invalidRequest)
        #expect(code([("system", "x"), ("user", most)]) == .invalidRequest)
        // Bytes count, not characters.
        #expect(code([("user", String(repeating: "你", count: 87_382))]) == .invalidRequest)
    }

    @Test(arguments: ["tool", "", "User", "developer"])
    func unknownRolesAreRefused(role: String) {
        #expect(code([(role, "x"), ("user", "x")]) == .invalidRequest)
    }

    @Test(arguments: ["", " ", "\n\t", "\u{3000}"])
    func emptyTurnsAreRefused(content: String) {
        #expect(code([("system", content), ("user", "x")]) == .invalidRequest)
    }

    @Test(arguments: ["system", "assistant"])
    func theLastTurnIsTheUsers(role: String) {
        #expect(code([("user", "x"), (role, "x")]) == .invalidRequest)
    }

    @Test(arguments: [
        (Int64(-1), false), (0, true), (1, true), (1_000_000, true), (1_000_001, false),
    ])
    func theAskedForLengthIsBounded(maxTokens: Int64, isAllowed: Bool) {
        #expect(code(maxTokens: maxTokens) == (isAllowed ? nil : .invalidRequest))
    }

    @Test func refusalsSayWhichTurn() {
        do throws(Failure) {
            _ = try QuestionLimits.messages(from: [("user", "x"), ("user", "")])
            Issue.record("an empty turn was taken")
        } catch {
            #expect(error.message == "Turn 2 is empty.")
        }
    }

    @Test func aFingerprintTellsQuestionsApart() {
        func bytes(_ model: String, _ turns: [(ChatMessage.Role, String)], _ maxTokens: Int64)
            -> [UInt8]
        {
            RequestFingerprint.canonicalBytes(
                model: ModelName(rawValue: model),
                turns: turns.map { ChatMessage(role: $0.0, content: $0.1) }, maxTokens: maxTokens)
        }
        let base = bytes("m", [(.user, "ab"), (.user, "c")], 10)
        #expect(base == bytes("m", [(.user, "ab"), (.user, "c")], 10))
        let others = [
            bytes("n", [(.user, "ab"), (.user, "c")], 10),
            bytes("m", [(.user, "ab"), (.user, "c")], 11),
            bytes("m", [(.user, "a"), (.user, "bc")], 10),
            bytes("m", [(.user, "abc")], 10),
            bytes("m", [(.user, "ab"), (.assistant, "c")], 10),
            bytes("m", [(.user, "c"), (.user, "ab")], 10),
            bytes("m1", [(.user, "ab"), (.user, "c")], 0),
        ]
        #expect(Set(others + [base]).count == others.count + 1)
    }

    @Test func aFingerprintStaysTheSameForEver() {
        let bytes = RequestFingerprint.canonicalBytes(
            model: ModelName(rawValue: "m"), turns: [ChatMessage(role: .user, content: "hé")],
            maxTokens: 7)
        let expected: [UInt8] =
            [0, 0, 0, 19] + Array("tollgate.question.1".utf8) + [
                0, 0, 0, 1, 0x6d, 0, 0, 0, 1, 0x37,
            ]
            + [0, 0, 0, 4] + Array("user".utf8) + [0, 0, 0, 3, 0x68, 0xc3, 0xa9]
        #expect(bytes == expected)
    }
}
