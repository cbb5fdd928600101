package import ArgumentParser
import TollgateClient

/// `tollgate admin metrics`.
package struct AdminMetrics: ServiceCommand {
    /// How long a period is.
    package enum Resolution: String, CaseIterable, ExpressibleByArgument, Sendable {
        /// By the hour.
        case hour
        /// By the day in Asia/Shanghai.
        case day
    }

    package static let configuration = CommandConfiguration(
        commandName: "metrics",
        abstract: "Show business figures from the rollups, the open period included.",
        discussion: """
            Chats, tokens, refusals, orders and revenue. Hours and days are those of Shanghai.

            EXAMPLES:
              tollgate admin metrics                               24 hours by the hour
              tollgate admin metrics --resolution day --since 30d
              tollgate admin metrics --metric revenue_fen --json
            """)
    package static let caller = Caller.administrator
    package static let nature = CallNature.reads

    /// How long a period is.
    @Option(help: "The length of a period.")
    package var resolution = Resolution.hour

    /// How far back.
    @Option(
        help: ArgumentHelp(
            "How far back: 90min, 24h, 30d (default: 24h by the hour, 30d by the day).",
            valueName: "duration"))
    package var since: String?

    /// Only this figure.
    @Option(help: ArgumentHelp("Only this figure, such as chats.", valueName: "name"))
    package var metric: String?

    @OptionGroup(title: "Connection")
    package var connection: ConnectionOptions

    @OptionGroup(title: "Output")
    package var output: OutputOptions

    package init() {}

    package func validate() throws {
        if let since, Moments.parseDuration(since) == nil {
            throw ValidationError("--since takes a duration such as 90min, 24h or 30d.")
        }
    }

    package func perform(_ invocation: Invocation) async throws {
        let length = since.flatMap(Moments.parseDuration)
        let from = length.map { max(1, invocation.environment.now() - $0) } ?? 0
        let request = V1.ListMetricsRequest(
            resolution: resolution.rawValue, fromMilliseconds: from)
        let points = try await invocation.withClient { client, options in
            try await OperationsServiceClient(client)
                .listMetrics(request, options: options).points
        }.filter { metric == nil || $0.metric == metric }
        if invocation.isJSON {
            invocation.console.json(
                .object([
                    ("resolution", .text(resolution.rawValue)),
                    ("points", .array(points.map(\.json))),
                ]))
            return
        }
        var table = TextTable([
            (resolution == .hour ? "HOUR" : "DAY", .left), ("FIGURE", .left), ("OF", .left),
            ("VALUE", .right),
        ])
        for point in points {
            table.add([
                period(point), point.metric, point.dimension,
                point.metric == "revenue_fen"
                    ? Amounts.yuan(point.value) : signed(point.value),
            ])
        }
        invocation.console.table(
            table, ifEmpty: "No figures yet: tollgate jobs run metric-rollup makes them.")
    }

    private func period(_ point: V1.MetricPoint) -> String {
        switch resolution {
        case .hour: Moments.shanghai.hour(point.periodStartMilliseconds)
        case .day: Moments.shanghai.day(point.periodStartMilliseconds)
        }
    }

    private func signed(_ value: Int64) -> String {
        (value < 0 ? "-" : "") + Amounts.grouped(value.magnitude)
    }
}

extension V1.MetricPoint {
    fileprivate var json: JSONValue {
        .object([
            ("periodStartMilliseconds", .number(periodStartMilliseconds)),
            ("metric", .text(metric)),
            ("dimension", .text(dimension)),
            ("value", .number(value)),
        ])
    }
}
