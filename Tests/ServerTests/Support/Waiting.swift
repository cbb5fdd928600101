import TestSupport
import Testing

/// Expects that a condition holds in the end.
func expectEventually(
    sourceLocation: SourceLocation = #_sourceLocation, _ condition: () async throws -> Bool
) async throws {
    let held = try await eventually(condition)
    #expect(held, "waited in vain", sourceLocation: sourceLocation)
}
