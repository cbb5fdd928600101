import CLI
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

@Suite("account delete, admin accounts delete")
struct DeletionTests {
    private let deletes = MethodRegistration.unary(Methods.AccountsService.deleteMyAccount) {
        (_: V1.DeleteMyAccountRequest, context) in
        #expect(context.authorization == "Bearer session-of-ann")
        return V1.DeleteMyAccountResponse(
            accountId: "0H2K9QW3ZT4BM", forfeitedMicroCredits: 1_500_000,
            deletedAtMilliseconds: CommandTest.began)
    }

    @Test(arguments: [["--yes"], []]) func aPersonLeavesAndTheSessionIsForgotten(
        flags: [String]
    ) async throws {
        let test = try CommandTest(input: ScriptedInput(flags.isEmpty ? [" delete "] : []))
        try test.signIn()
        let outcome = try await test.run(["account", "delete"] + flags, against: [deletes])
        #expect(outcome.status == 0)
        #expect(
            outcome.lines == [
                "Your account 0H2K9QW3ZT4BM is closed: who you are is erased, and nothing signs in "
                    + "to it any more. Forfeited: 1.5 credits.",
                "What else it left is erased now or within the hour; records of money stay, under "
                    + "its number alone.",
            ])
        #expect(try test.profile().session() == nil)
    }

    @Test(arguments: [["yes"], ["Delete"], []]) func anotherWordDeletesNothing(
        typed: [String]
    ) async throws {
        let test = try CommandTest(input: ScriptedInput(typed))
        try test.signIn()
        let outcome = try await test.run("account", "delete", against: [])
        #expect(outcome.status == 2)
        #expect(outcome.errors.contains("Nothing was deleted."))
        #expect(try test.profile().session() != nil)
    }

    @Test(arguments: ["TOLLGATE_API_KEY", "TOLLGATE_API_KEY_FILE"])
    func whoCallsWithAnAPIKeyDeletesNothing(variable: String) async throws {
        let test = try CommandTest(variables: [variable: "tg-of-somebody"])
        try test.signIn()
        let outcome = try await test.run("account", "delete", "--yes", against: [])
        #expect(outcome.status == 2)
        #expect(outcome.errors.contains("An API key cannot delete an account"))
        #expect(try test.profile().session() != nil)
    }

    @Test func whatIsRefusedKeepsTheSession() async throws {
        let test = try CommandTest()
        try test.signIn()
        let refuses = MethodRegistration.unary(Methods.AccountsService.deleteMyAccount) {
            (_: V1.DeleteMyAccountRequest, _) -> V1.DeleteMyAccountResponse in
            throw Failure(.conflict, "An order can still be paid.")
        }
        let outcome = try await test.run("account", "delete", "--yes", against: [refuses])
        #expect(outcome.status != 0)
        #expect(outcome.errors.contains("An order can still be paid."))
        #expect(try test.profile().session() != nil)
    }

    @Test func programsReadTheDeletion() async throws {
        let test = try CommandTest()
        try test.signIn()
        let outcome = try await test.run(
            "account", "delete", "--yes", "--json", against: [deletes])
        #expect(
            outcome.output
                == #"{"accountId":"0H2K9QW3ZT4BM","forfeitedMicroCredits":1500000,"#
                + #""deletedAtMilliseconds":1769839509000}"# + "\n")
    }

    @Test func anOperatorIsToldThatADeletionGoesOn() async throws {
        let deletes = MethodRegistration.unary(Methods.AdminService.deleteAccount) {
            (_: V1.DeleteAccountRequest, _) in
            V1.DeleteAccountResponse(
                account: V1.AccountStanding(accountId: "0H2K9QW3ZT4BM", status: "deleting"),
                forfeitedMicroCredits: 0, doneNow: true)
        }
        let outcome = try await CommandTest().run(
            [
                "admin", "accounts", "delete", "0H2K9QW3ZT4BM", "--reason", "letter",
                "--operator", "olga",
            ], against: [deletes])
        #expect(outcome.status == 0)
        #expect(outcome.errors.contains("the rest follows within the hour"))
    }

    @Test(arguments: [true, false]) func anOperatorDeletesAnAccount(doneNow: Bool) async throws {
        let deletes = MethodRegistration.unary(Methods.AdminService.deleteAccount) {
            (request: V1.DeleteAccountRequest, context) in
            #expect(context.identity?.role == .admin)
            #expect(
                request
                    == V1.DeleteAccountRequest(
                        by: V1.ActedBy(person: "olga", reason: "letter"),
                        accountId: "0H2K9QW3ZT4BM"))
            return V1.DeleteAccountResponse(
                account: V1.AccountStanding(
                    accountId: "0H2K9QW3ZT4BM", status: "deleted", tier: "standard",
                    openedAtMilliseconds: CommandTest.began,
                    deletedAtMilliseconds: CommandTest.began + 60_000),
                forfeitedMicroCredits: 0, doneNow: doneNow)
        }
        let outcome = try await CommandTest().run(
            [
                "admin", "accounts", "delete", "0H2K9QW3ZT4BM", "--reason", "letter",
                "--operator", "olga",
            ], against: [deletes])
        #expect(outcome.status == 0)
        #expect(outcome.lines.contains("Status              deleted"))
        #expect(outcome.lines.last == "Deleted             2026-01-31 06:06:09")
        #expect(outcome.errors.isEmpty == doneNow)
    }
}
