package import ArgumentParser

/// `tollgate admin`.
package struct Admin: ParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "admin",
        abstract:
            "What operators do: the books, figures, incidents, jobs, offers, tiers, accounts.",
        discussion: """
            These commands need the admin credential, which a server on this machine keeps in its \
            data folder's credentials/admin.

            EXAMPLES:
              tollgate admin audit
              tollgate admin metrics --resolution day --since 30d
              tollgate admin incidents
              tollgate admin accounts show 0H2K9QW3ZT4BM
            """,
        subcommands: [
            AdminAudit.self, AdminMetrics.self, AdminIncidents.self, AdminJobs.self,
            AdminJobRuns.self, AdminProducts.self, AdminModels.self, AdminChannels.self,
            AdminTiers.self,
            AdminAccounts.self, AdminLog.self,
        ])

    package init() {}
}
