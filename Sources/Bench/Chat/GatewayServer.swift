import Foundation
import Storage
import TollgateClient
import TollgateKernel

/// The whole gateway as `tollgate serve` composes it, in a process of its own, with customers who
/// are signed in and have credits.
struct GatewayServer: Sendable {
    let process: ChildProcess
    let address: String
    let client: TollgateClient
    /// What each caller shows: `Bearer` and the session's secret.
    let authorizations: [String]

    /// Starts a server in a data folder of its own whose provider is at `upstream`, signs
    /// customers in, connects, and ends it after `body`.
    static func running<Value>(
        program: String, folder: String, upstream: String, customers: Int,
        _ body: (GatewayServer) async throws -> Value
    ) async throws -> Value {
        try await ChildProcess.running(
            program,
            [
                "serve", "--data", folder, "--listen", "127.0.0.1:0", "--sandbox", upstream,
                "--log-level", "warning",
            ],
            environment: [
                // Every chat is paid by credits: that is the long way through the ledger.
                "TOLLGATE_TRIAL_CALLS_PER_DAY": "0", "TOLLGATE_REALM": "sandbox",
            ]
        ) { process in
            let address = try await process.listeningAddress()
            let people = try await SeededStore.withStore(folder, role: .jobs) { store in
                try await SignedInCustomer.make(customers, in: store)
            }
            let credential = try String(
                contentsOfFile: "\(folder)/credentials/cli", encoding: .utf8)
            let configuration = TollgateClientConfiguration(
                address: address,
                credential: credential.trimmingCharacters(in: .whitespacesAndNewlines))
            return try await withTollgateClient(configuration) { client in
                try await body(
                    GatewayServer(
                        process: process, address: address, client: client,
                        authorizations: people.map(\.authorization)))
            }
        }
    }

    /// Asks one question and reads its answer to the receipt, which has to say that credits paid.
    func chat(caller: Int) async throws {
        let options = CallOptions(authorization: authorizations[caller % authorizations.count])
        let charged = try await BenchQuestion.ask(
            client, requestID: UUID().uuidString, options: options)
        guard charged > .zero else {
            throw Failure(.internalError, "An answer was not charged.")
        }
    }
}
