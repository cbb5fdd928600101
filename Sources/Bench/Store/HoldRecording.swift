/// What the store's own connection ran to make holds: each statement's text once, and the
/// parameters of one hold after the other.
///
/// The peer replays it on a copy of the same database, so what it runs is what we run: there is no
/// second list of statements that could fall behind. Replayed in its order from the same state,
/// each guard finds what it found when it was recorded.
struct HoldRecording: Hashable, Sendable {
    /// A statement with its parameters.
    struct Step: Hashable, Sendable {
        /// Its place in ``texts``.
        var text: Int
        var parameters: [BoundValue]
    }

    /// `PRAGMA name = value` of the writing connection, in order.
    var settings: [String] = []
    /// The statements' texts.
    var texts: [String] = []
    /// What a batch runs once, after its last hold.
    var perBatch: [Step] = []
    /// The steps of each hold.
    var holds: [[Step]] = []

    /// The texts of one hold, in order.
    var textsOfOneHold: [String] { (holds.last ?? []).map { texts[$0.text] } }

    /// The recording as the peer reads it: numbers are 32 bits, little end first.
    ///
    /// ```
    /// "HOLDS 1\n"
    /// settings: count, then each length and text
    /// texts: the same
    /// per batch: an item
    /// holds: count, then an item each
    /// item: number of steps, then each place of the text, number of parameters, parameters
    /// parameter: a byte (0 NULL, 1 integer, 2 text, 3 bytes), then 64 bits or length and bytes
    /// ```
    func encoded() -> [UInt8] {
        var output: [UInt8] = Array("HOLDS 1\n".utf8)
        func number(_ value: Int) {
            withUnsafeBytes(of: UInt32(truncatingIfNeeded: value).littleEndian) {
                output.append(contentsOf: $0)
            }
        }
        func bytes(_ value: some Collection<UInt8>) {
            number(value.count)
            output.append(contentsOf: value)
        }
        func item(_ steps: [Step]) {
            number(steps.count)
            for step in steps {
                number(step.text)
                number(step.parameters.count)
                for parameter in step.parameters {
                    switch parameter {
                    case .null: output.append(0)
                    case .integer(let value):
                        output.append(1)
                        withUnsafeBytes(of: value.littleEndian) { output.append(contentsOf: $0) }
                    case .text(let value):
                        output.append(2)
                        bytes(value)
                    case .bytes(let value):
                        output.append(3)
                        bytes(value)
                    }
                }
            }
        }
        number(settings.count)
        for text in settings { bytes(text.utf8) }
        number(texts.count)
        for text in texts { bytes(text.utf8) }
        item(perBatch)
        number(holds.count)
        for steps in holds { item(steps) }
        return output
    }
}

/// Makes a recording out of what a connection runs, statement by statement.
struct HoldRecorder: Sendable {
    /// Why a recording is of no use.
    enum Fault: Error, Hashable {
        /// A statement's parameters cannot be read from its expanded text.
        case unreadable(String)
        /// A hold was undone: replaying what came after would differ.
        case undone
    }

    /// How the first statement of a hold begins and what it looks for: an earlier hold of its id.
    ///
    /// Nothing else marks where one hold of a batch ends and the next begins.
    private static let firstOfHold = (beginning: "SELECT", part: "FROM holds WHERE account = $1")
    /// How the statement begins that ends a batch with its number.
    private static let lastOfBatch = "INSERT INTO write_attempts"

    private enum Place {
        case outside
        case insideBatch
        case insideHold
    }

    private(set) var recording = HoldRecording()
    private(set) var fault: Fault?
    private var numbers: [String: Int] = [:]
    private var place = Place.outside
    private var steps: [HoldRecording.Step] = []
    private var hasBatchEnd = false
    private var batchStart: (recording: HoldRecording, numbers: [String: Int])?

    /// Takes in a statement that begins to run.
    ///
    /// - Parameters:
    ///   - text: as it was prepared; SQLite announces triggers as comments, which belong to the
    ///     statement that fired them.
    ///   - expanded: the text with its values.
    mutating func take(text: String, expanded: String) {
        if text.hasPrefix("--") || fault != nil { return }
        switch (place, text) {
        case (.outside, _) where text.hasPrefix("BEGIN"):
            place = .insideBatch
            steps = []
            batchStart = (recording, numbers)
        case (.outside, _):
            if text.hasPrefix("PRAGMA"), text.contains("=") { recording.settings.append(text) }
        case (_, _) where text.hasPrefix("COMMIT"):
            finishHold()
            place = .outside
            finishBatch()
        case (_, _) where text.hasPrefix("ROLLBACK"): fault = .undone
        default:
            if text.hasPrefix(Self.firstOfHold.beginning), text.contains(Self.firstOfHold.part) {
                finishHold()
                place = .insideHold
                steps = []
            } else if text.hasPrefix(Self.lastOfBatch) {
                finishHold()
            }
            guard let values = ExpandedStatement.values(text: text, expanded: expanded) else {
                fault = .unreadable(text)
                return
            }
            steps.append(HoldRecording.Step(text: number(of: text), parameters: values))
        }
    }

    private mutating func finishHold() {
        guard place == .insideHold else { return }
        place = .insideBatch
        recording.holds.append(steps)
        steps = []
    }

    /// Keeps what a batch of holds ran at its end; forgets a transaction without a hold, such as
    /// those of opening.
    private mutating func finishBatch() {
        if let batchStart, batchStart.recording.holds.count == recording.holds.count {
            (recording, numbers) = batchStart
        } else if !hasBatchEnd {
            recording.perBatch = steps
            hasBatchEnd = true
        }
        batchStart = nil
    }

    private mutating func number(of text: String) -> Int {
        if let known = numbers[text] { return known }
        numbers[text] = recording.texts.count
        recording.texts.append(text)
        return recording.texts.count - 1
    }
}
