import CLI
import Foundation
import Jobs
import Operations
import TollgateKernel

/// Jobs and runs as people and programs read them.
enum JobText {
    private struct RunDocument: Encodable {
        var runID: String
        var job: String
        var state: String
        var startedAtMilliseconds: Int64
        var endedAtMilliseconds: Int64?
        var itemsDone: Int64
        var itemsFailed: Int64
        var summary: String
    }

    private struct JobDocument: Encodable {
        var name: String
        var summary: String
        var intervalMilliseconds: Int64
        var nextDueAtMilliseconds: Int64?
        var lastState: String?
        /// Why it waits although it may be due.
        var clockTrouble: String?
    }

    private struct PreviewDocument: Encodable {
        struct Item: Encodable {
            var reference: String
            var result: String
        }

        var job: String
        var isDryRun = true
        var summary: String
        var items: [Item]
    }

    /// A dry run as one JSON document.
    static func json(_ preview: JobPreview, of job: String) throws -> String {
        try encode(
            PreviewDocument(
                job: job, summary: preview.summary,
                items: preview.items.map {
                    .init(reference: $0.reference, result: $0.verdict.word)
                }))
    }

    /// A dry run as lines: what would happen to each item, then all in a sentence.
    static func lines(_ preview: JobPreview, of job: String) -> [String] {
        let summary = preview.summary.prefix(1).uppercased() + preview.summary.dropFirst()
        return preview.items.map { "\(name(of: $0.reference)) \($0.verdict.sentence)" }
            + ["\(summary).", "Nothing was changed: this was a dry run of \(job)."]
    }

    /// What an item is about, as people call it: `hold 7`, `hour 2026-01-31 14:00`.
    private static func name(of reference: String) -> String {
        let parts = reference.split(separator: ":", maxSplits: 1).map(String.init)
        guard parts.count == 2 else { return reference.replacing("_", with: " ") }
        // Periods are cut as reports are, in Asia/Shanghai.
        switch (parts[0], Int64(parts[1])) {
        case ("hour", let start?): return "hour \(Moments.shanghai.hour(start))"
        case ("day", let start?): return "day \(Moments.shanghai.day(start))"
        default: return "\(parts[0]) \(parts[1])"
        }
    }

    /// A run as one JSON document.
    static func json(_ run: JobRun) throws -> String {
        try encode(
            RunDocument(
                runID: run.id.description, job: run.job, state: run.state.rawValue,
                startedAtMilliseconds: run.startedAt.milliseconds,
                endedAtMilliseconds: run.endedAt?.milliseconds, itemsDone: run.itemsDone,
                itemsFailed: run.itemsFailed, summary: run.summary))
    }

    /// Runs as rows of a table.
    static func table(of runs: [JobRun]) -> TextTable {
        let began = Moments(timeZone: CommandEnvironment.current.timeZone)
            .column("BEGAN", runs.map(\.startedAt.milliseconds))
        var table = TextTable([
            (began.title, .left), ("JOB", .left), ("STATE", .left), ("TOOK", .right),
            ("WHAT IT DID", .flexible),
        ])
        for (run, moment) in zip(runs, began.cells) {
            table.add([moment, run.job, run.state.rawValue, span(of: run), run.summary])
        }
        return table
    }

    private static func span(of run: JobRun) -> String {
        run.endedAt.map { "\($0.milliseconds - run.startedAt.milliseconds) ms" } ?? "-"
    }

    /// A run as a line.
    static func line(_ run: JobRun) -> String {
        "\(moment(run.startedAt))  \(pad(run.job, 18)) \(pad(run.state.rawValue, 10)) "
            + "\(pad(span(of: run), 9)) \(run.summary)"
    }

    /// Every job as one JSON document.
    static func json(
        _ definitions: [JobDefinition], _ standing: [String: (JobRecord?, JobRun?)],
        clockTrouble: String?
    ) throws -> String {
        try encode(
            definitions.map { definition in
                let (record, run) = standing[definition.name] ?? (nil, nil)
                return JobDocument(
                    name: definition.name, summary: definition.summary,
                    intervalMilliseconds: definition.schedule.intervalMilliseconds,
                    nextDueAtMilliseconds: record?.nextDueAt.milliseconds,
                    lastState: run?.state.rawValue,
                    clockTrouble: definition.goesByTimeOfDay ? clockTrouble : nil)
            })
    }

    /// When a job runs next, and what for.
    ///
    /// - Parameter clockTrouble: Why nothing is ended by this machine's clock, if so.
    static func next(
        _ definition: JobDefinition, _ record: JobRecord?, now: Timestamp, clockTrouble: String?
    ) async throws -> String {
        if clockTrouble != nil, definition.goesByTimeOfDay { return "not by this clock" }
        guard let record else { return "not run yet" }
        // A job without work keeps its moment in the past, and writes nothing.
        if record.nextDueAt >= now { return span(from: now, to: record.nextDueAt) }
        if try await definition.hasWork() { return "now" }
        guard let waiting = try await definition.waiting() else { return "nothing to do" }
        return "\(span(from: now, to: waiting.nextAt)): \(waiting.what)"
    }

    private static func span(from now: Timestamp, to moment: Timestamp) -> String {
        "in \(Moments.duration(max(1_000, moment.milliseconds - now.milliseconds)))"
    }

    /// A table for jobs, without one yet.
    static var table: TextTable {
        TextTable([
            ("JOB", .left), ("RUNS", .left), ("NEXT", .left), ("WHAT IT DOES", .flexible),
        ])
    }

    /// A job as a row of the table.
    static func row(_ definition: JobDefinition, next: String) -> [String] {
        [
            definition.name, Moments.interval(definition.schedule.intervalMilliseconds), next,
            definition.summary,
        ]
    }

    /// One JSON document on one line, its keys in order.
    static func encode(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    private static func moment(_ moment: Timestamp) -> String {
        Moments(timeZone: CommandEnvironment.current.timeZone).zoned(moment.milliseconds)
    }

    private static func pad(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
