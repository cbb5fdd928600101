internal import Analytics
internal import Application
internal import Operations
internal import TollgateKernel
internal import TollgateRPC
internal import TollgateWire

/// Audit, figures and incidents on the wire.
struct OperationsHandlers: OperationsServiceHandlers {
    let queries: OperatorQueries

    func audit(_ request: V1.AuditRequest, _ context: ServerCallContext) async throws
        -> V1.AuditResponse
    {
        let findings = try await queries.audit()
        return V1.AuditResponse(
            clean: findings.allSatisfy { $0.violationCount == 0 },
            findings: findings.map { finding in
                V1.AuditFinding(
                    check: finding.check, summary: finding.summary, rows: finding.rows,
                    violations: finding.violations, violationCount: finding.violationCount)
            })
    }

    func listMetrics(_ request: V1.ListMetricsRequest, _ context: ServerCallContext) async throws
        -> V1.ListMetricsResponse
    {
        let name = request.resolution.isEmpty ? "hour" : request.resolution
        guard let resolution = RollupResolution(rawValue: name) else {
            throw Failure(.invalidRequest, "A resolution is hour or day.")
        }
        let points = try await queries.metrics(
            resolution,
            from: request.fromMilliseconds > 0
                ? Timestamp(milliseconds: request.fromMilliseconds) : nil,
            until: request.untilMilliseconds > 0
                ? Timestamp(milliseconds: request.untilMilliseconds) : nil)
        return V1.ListMetricsResponse(
            points: points.map { point in
                V1.MetricPoint(
                    periodStartMilliseconds: point.periodStart.milliseconds,
                    metric: point.metric.rawValue, dimension: point.dimension, value: point.value)
            })
    }

    func listIncidents(_ request: V1.ListIncidentsRequest, _ context: ServerCallContext)
        async throws -> V1.ListIncidentsResponse
    {
        let limit = try pageSize(request.limit, default: 50, most: 200)
        return V1.ListIncidentsResponse(
            incidents: try await queries.incidents(limit: limit).map { incident in
                V1.Incident(
                    atMilliseconds: incident.at.milliseconds, kind: incident.kind.rawValue,
                    reference: incident.reference, summary: incident.summary)
            })
    }
}
