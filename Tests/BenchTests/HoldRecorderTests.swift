import Testing

@testable import Bench

struct HoldRecorderTests {
    private func recorder(_ statements: [(String, String)]) -> HoldRecorder {
        var recorder = HoldRecorder()
        for (text, expanded) in statements { recorder.take(text: text, expanded: expanded) }
        return recorder
    }

    private func plain(_ texts: String...) -> [(String, String)] { texts.map { ($0, $0) } }

    @Test func `what stands between a savepoint and its release is one hold`() {
        let recorder = recorder(
            plain("PRAGMA synchronous = FULL", "PRAGMA synchronous", "BEGIN IMMEDIATE")
                + plain("SAVEPOINT item") + [("SELECT $1", "SELECT 1")] + plain("RELEASE item")
                + plain("SAVEPOINT item") + [("SELECT $1", "SELECT 2"), ("a $1", "a NULL")]
                + plain("RELEASE item") + [("batch $1", "batch 9")] + plain("COMMIT"))
        let recording = recorder.recording
        #expect(recorder.fault == nil)
        #expect(recording.settings == ["PRAGMA synchronous = FULL"])
        #expect(recording.texts == ["SELECT $1", "a $1", "batch $1"])
        #expect(
            recording.holds == [
                [.init(text: 0, parameters: [.integer(1)])],
                [.init(text: 0, parameters: [.integer(2)]), .init(text: 1, parameters: [.null])],
            ])
        #expect(recording.perBatch == [.init(text: 2, parameters: [.integer(9)])])
        #expect(recording.textsOfOneHold == ["SELECT $1", "a $1"])
    }

    @Test func `what a trigger runs belongs to the statement that fired it`() {
        let recorder = recorder(
            plain("BEGIN IMMEDIATE", "SAVEPOINT item", "a", "-- b", "RELEASE item", "COMMIT"))
        #expect(recorder.recording.texts == ["a"])
    }

    @Test func `a transaction without a hold leaves nothing behind`() {
        let recorder = recorder(
            plain("BEGIN IMMEDIATE", "CREATE TABLE a", "COMMIT", "BEGIN IMMEDIATE")
                + plain("SAVEPOINT item", "b", "RELEASE item", "c", "COMMIT"))
        #expect(recorder.recording.texts == ["b", "c"])
        #expect(recorder.recording.holds == [[.init(text: 0, parameters: [])]])
        #expect(recorder.recording.perBatch == [.init(text: 1, parameters: [])])
    }

    @Test func `a hold that was undone spoils the recording`() {
        let recorder = recorder(
            plain("BEGIN IMMEDIATE", "SAVEPOINT item", "ROLLBACK TO item", "RELEASE item"))
        #expect(recorder.fault == .undone)
    }

    @Test func `a statement whose values cannot be read spoils the recording`() {
        let recorder = recorder(
            plain("BEGIN IMMEDIATE", "SAVEPOINT item") + [("a $1", "a 1.5")])
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
