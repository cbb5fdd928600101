package import ArgumentParser

/// Which server, which profile and which credential: the options of every command that calls.
package struct ConnectionOptions: ParsableArguments, Sendable {
    /// The server's address.
    @Option(
        help: ArgumentHelp(
            "The server's address (TOLLGATE_SERVER; then the server you are signed in to; "
                + "then \(ServerAddress.standard)).",
            valueName: "host:port"))
    package var server: String?

    /// Whose login session to use.
    @Option(
        help: ArgumentHelp(
            "Keeps login sessions apart (TOLLGATE_PROFILE; default “\(Profile.standardName)”).",
            valueName: "name"))
    package var profile: String?

    /// The file with the connection credential.
    @Option(
        help: ArgumentHelp(
            "A file with the connection credential (TOLLGATE_CREDENTIAL_FILE; the value itself in "
                + "TOLLGATE_CREDENTIAL; then the data folder's credentials).",
            valueName: "path"))
    package var credentialFile: String?

    /// The data folder of a server on this machine.
    @Option(
        help: ArgumentHelp(
            "The data folder of a server on this machine (TOLLGATE_DATA; default ~/.tollgate).",
            valueName: "folder"))
    package var data: String?

    /// How long a call may take.
    @Option(
        parsing: .unconditional,
        help: ArgumentHelp(
            "How long each call may take (default: what the method's contract says).",
            valueName: "seconds"))
    package var timeout: Int?

    /// Makes options that name nothing.
    package init() {}

    package func validate() throws {
        if let timeout, !(1...86_400).contains(timeout) {
            throw ValidationError("--timeout takes 1 to 86400 seconds.")
        }
    }
}

/// How results are written: the options of every command.
package struct OutputOptions: ParsableArguments, Sendable {
    /// Whether programs read the results.
    @Flag(help: "Write JSON for programs; errors too, on standard error.")
    package var json = false

    /// Makes options for a person.
    package init() {}
}
