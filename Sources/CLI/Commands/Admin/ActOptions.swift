package import ArgumentParser
import TollgateClient

/// Who acts as an operator, and why: the options of every command that changes something for
/// somebody else.
package struct ActOptions: ParsableArguments, Sendable {
    /// Why it is done.
    @Option(help: ArgumentHelp("Why, in a sentence; it stands in the log.", valueName: "text"))
    package var reason: String

    /// Who does it.
    @Option(
        name: .customLong("operator"),
        help: ArgumentHelp(
            "Who does it (TOLLGATE_OPERATOR; then USER, or whom this runs as).",
            valueName: "name"))
    package var person: String?

    /// Makes options that name nothing.
    package init() {}

    package func validate() throws {
        guard !reason.allSatisfy(\.isWhitespace) else {
            throw ValidationError("--reason takes a sentence.")
        }
    }

    /// Who and why, as it is sent.
    /// - Throws: A usage failure if nobody is named.
    func actedBy(_ invocation: Invocation) throws -> V1.ActedBy {
        guard let name = OperatorName.resolved(person, in: invocation.environment) else {
            throw CommandFailure(
                .usage, "Nobody is named as the operator.", advice: "Name one with --operator.")
        }
        return V1.ActedBy(person: name, reason: reason)
    }
}
