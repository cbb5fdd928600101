package import TollgateKernel

/// A part of what the engine itself is asked in an audit (C13): each is a read of its own, so that
/// two readers can share them.
package enum EnginePart: Hashable, Sendable {
    /// What belongs to no single table: the pages, the schema and its guards.
    case whole
    /// The rows of one table: their rules, their indexes and what they point at.
    case table(String)
}

extension AuditFinding {
    /// Adds the same checker's verdict over another part; what both tell counts once.
    package mutating func add(_ part: AuditFinding) {
        let new = part.violations.filter { !violations.contains($0) }
        rows += part.rows
        violationCount += part.violationCount - Int64(part.violations.count - new.count)
        violations += new.prefix(max(0, Limits.auditViolationsTold - violations.count))
    }
}

extension OperationsRepository {
    /// C13 in all its parts, over one state.
    package func auditEngine() throws(StoreError) -> AuditFinding {
        var finding = try auditEngine(.whole)
        for part in try engineParts() where part != .whole {
            finding.add(try auditEngine(part))
        }
        return finding
    }
}
