import Glibc

/// Who acts as an operator, as their commands find it out.
package enum OperatorName {
    /// The name that was given, else the environment's, else the one of whom this process runs as.
    package static func resolved(
        _ given: String?, in environment: CommandEnvironment
    ) -> String? {
        let variables = environment.variables.filter { !$0.value.isEmpty }
        return given ?? variables["TOLLGATE_OPERATOR"] ?? variables["USER"]
            ?? environment.userName()
    }

    /// The name of whom this process runs as, from the system's list of users: `USER` is set by a
    /// login, and missing under cron, systemd and in containers.
    package static func ofProcess() -> String? {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        return withUnsafeTemporaryAllocation(
            of: CChar.self, capacity: CommandLimits.userEntryBytes
        ) { buffer in
            guard let base = buffer.baseAddress,
                getpwuid_r(getuid(), &entry, base, buffer.count, &found) == 0, found != nil,
                let name = entry.pw_name
            else { return nil }
            return String(cString: name)
        }
    }
}
