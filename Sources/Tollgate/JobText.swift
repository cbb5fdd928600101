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
                items: preview.items.map { .init(reference: $0.reference, result: $0.result) }))
    }

    /// A dry run as lines: what would happen to each item, then all in a sentence.
    static func lines(_ preview: JobPreview, of job: String) -> [String] {
        let width = preview.items.map(\.reference.count).max() ?? 0
        return preview.items.map { "\(pad($0.reference, width + 1)) \($0.result)" }
            + ["\(job), dry run: \(preview.summary). Nothing was changed."]
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

    /// A run as a line.
    static func line(_ run: JobRun) -> String {
        let span = run.endedAt.map { "\($0.milliseconds - run.startedAt.milliseconds) ms" } ?? "-"
        return "\(moment(run.startedAt))  \(pad(run.job, 18)) \(pad(run.state.rawValue, 10)) "
            + "\(pad(span, 9)) \(run.summary)"
    }

    /// Every job as one JSON document.
    static func json(
        _ definitions: [JobDefinition], _ standing: [String: (JobRecord?, JobRun?)]
    ) throws -> String {
        try encode(
            definitions.map { definition in
                let (record, run) = standing[definition.name] ?? (nil, nil)
                return JobDocument(
                    name: definition.name, summary: definition.summary,
                    intervalMilliseconds: definition.schedule.intervalMilliseconds,
                    nextDueAtMilliseconds: record?.nextDueAt.milliseconds,
                    lastState: run?.state.rawValue)
            })
    }

    /// When a job runs next, and what for.
    static func next(
        _ definition: JobDefinition, _ record: JobRecord?, now: Timestamp
    ) async throws -> String {
        guard let record else { return "not run yet" }
        // A job without work keeps its moment in the past, and writes nothing.
        if record.nextDueAt >= now { return "next \(moment(record.nextDueAt))" }
        if try await definition.hasWork() { return "due now" }
        guard let waiting = try await definition.waiting() else { return "nothing to do" }
        return "\(waiting.what), next asked at \(moment(waiting.nextAt))"
    }

    /// A job as a line.
    static func line(_ definition: JobDefinition, next: String) -> String {
        let every = "every \(definition.schedule.intervalMilliseconds / 1_000) s"
        return "\(pad(definition.name, 18)) \(pad(every, 12)) \(pad(next, 31)) "
            + definition.summary
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
