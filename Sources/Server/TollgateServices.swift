package import Application
package import Orders
internal import TollgateKernel
package import TollgateRPC

/// Every service of the contract, over the use cases.
package struct TollgateServices: Sendable {
    /// What the services are made of; the composition root fills it.
    package struct Parts: Sendable {
        /// Store, time, randomness, ids.
        package var ports: Ports
        /// Models, channels, words.
        package var catalogue: Catalogue
        /// The answers.
        package var answerQuestion: AnswerQuestion
        /// Seals people's own keys.
        package var vault: Vault
        /// Where money is settled to the end.
        package var settlements: Settlements
        /// WeChat Pay.
        package var payments: any PaymentGateway
        /// Checks notifications.
        package var notificationVerifier: any PaymentNotificationVerifier
        /// The official account's callbacks.
        package var receivePush: ReceivePush
        /// Logins by the official account's QR codes.
        package var scanLogin: ScanLogin
        /// The jobs operators can look at.
        package var jobs: [JobDescription]
        /// The program's version.
        package var version: String
        /// `sandbox` or `live`.
        package var realm: String

        /// Gathers the parts.
        package init(
            ports: Ports, catalogue: Catalogue, answerQuestion: AnswerQuestion, vault: Vault,
            settlements: Settlements, payments: any PaymentGateway,
            notificationVerifier: any PaymentNotificationVerifier, receivePush: ReceivePush,
            scanLogin: ScanLogin, jobs: [JobDescription], version: String, realm: String
        ) {
            self.ports = ports
            self.catalogue = catalogue
            self.answerQuestion = answerQuestion
            self.vault = vault
            self.settlements = settlements
            self.payments = payments
            self.notificationVerifier = notificationVerifier
            self.receivePush = receivePush
            self.scanLogin = scanLogin
            self.jobs = jobs
            self.version = version
            self.realm = realm
        }
    }

    /// What the router hosts.
    package let registrations: [ServiceRegistration]

    /// Wires the handlers to the use cases.
    package init(_ parts: Parts) {
        let signIn = SignIn(parts.ports)
        let caller = CallerIdentity(callers: Callers(parts.ports))
        let queries = AccountQueries(parts.ports)
        let statements = Statements(parts.ports)
        let operators = OperatorQueries(parts.ports)
        registrations = [
            AuthHandlers(
                caller: caller, signIn: signIn, scanLogin: parts.scanLogin,
                sessions: LoginSessions(parts.ports)
            ).service,
            APIKeysHandlers(caller: caller, keys: APIKeys(parts.ports)).service,
            AccountsHandlers(
                caller: caller, queries: queries, statements: statements,
                ownKeys: OwnKeys(parts.ports, catalogue: parts.catalogue, vault: parts.vault),
                deletion: DeleteAccount(parts.ports), export: ExportAccount(parts.ports)
            ).service,
            ChatHandlers(
                caller: caller, queries: queries, catalogue: parts.catalogue,
                answerQuestion: parts.answerQuestion
            ).service,
            OrdersHandlers(
                caller: caller, queries: queries,
                placeOrder: PlaceOrder(parts.ports, payments: parts.payments),
                orders: FollowUpOrders(parts.ports, payments: parts.payments)
            ).service,
            PaymentsHandlers(
                verifier: parts.notificationVerifier, bookPayment: BookPayment(parts.ports),
                settlements: parts.settlements, clock: parts.ports.clock,
                cpu: BlockingWork(label: "tollgate.payment-signatures")
            ).service,
            WeixinHandlers(receivePush: parts.receivePush).service,
            JobsHandlers(queries: operators, descriptions: parts.jobs).service,
            OperationsHandlers(queries: operators).service,
            AdminHandlers(
                administration: Administration(parts.ports),
                deletion: DeleteAccount(parts.ports), queries: queries, statements: statements
            ).service,
            CatalogueHandlers(
                administration: CatalogueAdministration(parts.ports, vault: parts.vault)
            ).service,
            DiagnosticsHandlers(
                clock: parts.ports.clock, version: parts.version, realm: parts.realm
            ).service,
        ]
    }
}

// Here and not beside the type: compiled as a whole module (release), Swift 6.3 takes a conformance
// for no use of a package import, and there it would be the only one.
extension BlockingWork: HeavyWork {}
