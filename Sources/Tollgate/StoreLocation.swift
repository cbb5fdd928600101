import Application
import Storage
import TollgateKernel

/// Where a service keeps everything: in its data folder, or in a database that several share.
enum StoreLocation: Sendable {
    /// SQLite in the data folder.
    case folder(String)
    /// PostgreSQL, and a replica of it for reads that may be old.
    case postgreSQL(PostgreSQLTarget, replica: PostgreSQLTarget?)

    /// Opens the store.
    ///
    /// - Throws: A ``Failure`` that says why not.
    func open(
        realm: StoreRealm, role: StoreRole, keyFingerprint: String,
        previousKeyFingerprint: String? = nil, logBounds: LogBounds = LogBounds()
    ) async throws -> any OpenedStore {
        do {
            switch self {
            case .folder(let path):
                return try await SQLiteStore.open(
                    folder: path, realm: realm, role: role, logBounds: logBounds)
            case .postgreSQL(let target, let replica):
                return try await PostgreSQLStore.open(
                    target, replica: replica, realm: realm, role: role,
                    keyFingerprint: keyFingerprint,
                    previousKeyFingerprint: previousKeyFingerprint)
            }
        } catch let refusal as StoreRefusal {
            throw Failure(.unavailable, "\(refusal)")
        }
    }
}

extension Settings {
    /// Where the store is: `store.address`, `store.replica`, else the data folder.
    func storeLocation() throws -> StoreLocation {
        guard let address = secret("store.address") else {
            guard secret("store.replica") == nil else {
                throw Failure(
                    .invalidRequest, "store.replica needs store.address: a folder has no replica.")
            }
            return .folder(folder.path)
        }
        return .postgreSQL(
            try Self.target(address), replica: try secret("store.replica").map(Self.target))
    }

    private static func target(_ address: String) throws -> PostgreSQLTarget {
        guard PostgreSQLTarget.isAddress(address) else {
            throw Failure(
                .invalidRequest,
                "A store is postgres://USER@HOST:PORT/DATABASE, or is left out: then it is SQLite "
                    + "in the data folder.")
        }
        do {
            return try PostgreSQLTarget(address)
        } catch {
            throw Failure(.invalidRequest, "\(error)")
        }
    }

    /// Refuses a password in a flag: every user of the machine sees the flags of every process.
    static func checkStoreFlag(_ address: String?) throws {
        guard let address, try target(address).hasPassword else { return }
        throw Failure(
            .invalidRequest,
            "Leave the password out of --store, where ps shows it: put it into the file that "
                + "PGPASSFILE names, or the whole address into TOLLGATE_STORE_ADDRESS.")
    }
}
