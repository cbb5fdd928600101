import Testing

@testable import Bench

struct HoldRecorderTests {
    private func recorder(_ statements: [(String, String)]) -> HoldRecorder {
        var recorder = HoldRecorder()
        for (text, expanded) in statements { recorder.take(text: text, expanded: expanded) }
        return recorder
    }

    private func plain(_ texts: String...) -> [(String, String)] { texts.map { ($0, $0) } }

    private static let first = "SELECT id FROM holds WHERE account = $1"
    private static let last = "INSERT INTO write_attempts VALUES ($1)"

    /// The first statement of an account's hold.
    private func first(_ account: Int) -> [(String, String)] {
        [(Self.first, "SELECT id FROM holds WHERE account = \(account)")]
    }

    /// The last statement of a batch.
    private func last(_ number: Int) -> [(String, String)] {
        [(Self.last, "INSERT INTO write_attempts VALUES (\(number))")]
    }

    @Test func `a hold goes from its look at earlier ones to the next hold or the batch's end`() {
        let recorder = recorder(
            plain("PRAGMA synchronous = FULL", "PRAGMA synchronous", "BEGIN IMMEDIATE")
                + first(1) + first(2) + [("a $1", "a NULL")] + last(9) + plain("COMMIT"))
        let recording = recorder.recording
        #expect(recorder.fault == nil)
        #expect(recording.settings == ["PRAGMA synchronous = FULL"])
        #expect(recording.texts == [Self.first, "a $1", Self.last])
        #expect(
            recording.holds == [
                [.init(text: 0, parameters: [.integer(1)])],
                [.init(text: 0, parameters: [.integer(2)]), .init(text: 1, parameters: [.null])],
            ])
        #expect(recording.perBatch == [.init(text: 2, parameters: [.integer(9)])])
        #expect(recording.textsOfOneHold == [Self.first, "a $1"])
    }

    @Test func `what a trigger runs belongs to the statement that fired it`() {
        let recorder = recorder(
            plain("BEGIN IMMEDIATE") + first(1) + plain("a", "-- b", "COMMIT"))
        #expect(recorder.recording.texts == [Self.first, "a"])
        #expect(recorder.recording.holds.map(\.count) == [2])
    }

    @Test func `a transaction without a hold leaves nothing behind`() {
        let recorder = recorder(
            plain("BEGIN IMMEDIATE", "CREATE TABLE a", "COMMIT", "BEGIN IMMEDIATE")
                + first(7) + last(8) + plain("COMMIT"))
        #expect(recorder.recording.texts == [Self.first, Self.last])
        #expect(recorder.recording.holds == [[.init(text: 0, parameters: [.integer(7)])]])
        #expect(recorder.recording.perBatch == [.init(text: 1, parameters: [.integer(8)])])
    }

    @Test func `a hold that was undone spoils the recording`() {
        let recorder = recorder(
            plain("BEGIN IMMEDIATE") + first(1) + plain("ROLLBACK"))
        #expect(recorder.fault == .undone)
    }

    @Test func `a statement whose values cannot be read spoils the recording`() {
        let recorder = recorder(
            plain("BEGIN IMMEDIATE") + first(1) + [("a $1", "a 1.5")])
        #expect(recorder.fault == .unreadable("a $1"))
    }

    @Test func `the file has the form that its documentation states`() {
        var recording = HoldRecording()
        recording.settings = ["P"]
        recording.texts = ["S"]
        recording.holds = [[.init(text: 0, parameters: [.integer(-1), .text([65]), .null])]]
        let expected: [UInt8] =
            Array("HOLDS 1\n".utf8) + [1, 0, 0, 0, 1, 0, 0, 0, 80] + [1, 0, 0, 0, 1, 0, 0, 0, 83]
            + [0, 0, 0, 0] + [1, 0, 0, 0] + [1, 0, 0, 0] + [0, 0, 0, 0, 3, 0, 0, 0]
            + [1, 255, 255, 255, 255, 255, 255, 255, 255] + [2, 1, 0, 0, 0, 65] + [0]
        #expect(recording.encoded() == expected)
    }
}
