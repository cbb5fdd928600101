package import ArgumentParser

/// The commands that the executable lists.
package enum UserCommands {
    /// What people do, in the order they meet it.
    package static let people: [any ParsableCommand.Type] = [
        Login.self, Logout.self, WhoAmI.self, Sessions.self, Models.self, Chat.self, Quota.self,
        Ledger.self,
        Products.self, Buy.self, Orders.self, ShowOrder.self, Keys.self, ProviderKeys.self,
        AccountCommands.self,
    ]

    /// What operators and developers do.
    package static let operators: [any ParsableCommand.Type] = [
        Admin.self, Call.self, Ping.self,
    ]

    /// What `tollgate --help` says about settings and exit codes.
    package static let discussion = """
        SETTINGS:
          Flags go before environment variables, and those before files.
          TOLLGATE_SERVER           HOST:PORT or unix:/PATH (default \(ServerAddress.standard))
          TOLLGATE_TLS_CA           a file of authorities, or “system”: calls are
                                    encrypted
          TOLLGATE_TLS_SERVER_NAME  the name in the server's certificate, if it is
                                    another than the address says
          TOLLGATE_TLS_CERTIFICATE  a certificate to show the server, and
          TOLLGATE_TLS_KEY          its key
          TOLLGATE_HOME             the folder of profiles (default ~/.config/tollgate)
          TOLLGATE_PROFILE          whose login session to use (default “\(Profile.standardName)”)
          TOLLGATE_API_KEY          an API key to call with in place of a login session;
                                    what no key may do goes by the session, which
                                    then has to be of the key's account
          TOLLGATE_API_KEY_FILE     a file with it, which only you may read
          TOLLGATE_CREDENTIAL       the connection credential itself
          TOLLGATE_CREDENTIAL_FILE  a file with it
          TOLLGATE_DATA             a server's data folder, where credentials are
                                    looked for if none is named (default ~/.tollgate)
          TOLLGATE_OPERATOR         who acts, in the operators' log (default USER, or
                                    whom the command runs as)
          TOLLGATE_SANDBOX_ADDRESS  where the sandbox listens (default 127.0.0.1:7490)
          NO_COLOR                  no colours
          A role takes each of its settings as TOLLGATE_… too; its --help names them.

        \(ExitStatus.explanation)
        """
}
