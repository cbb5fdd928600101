import CLI
import Foundation
import Synchronization
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

@Suite("account export")
struct ExportTests {
    /// A server with four pages: two sections have rows, one has two pages, one has none.
    private let pages = MethodRegistration.unary(Methods.AccountsService.exportMyAccount) {
        (request: V1.ExportMyAccountRequest, context) in
        #expect(context.authorization == "Bearer session-of-ann")
        switch request.after {
        case "":
            return V1.ExportMyAccountResponse(
                section: "account", account: V1.ExportedAccount(accountId: "A", openid: "o\"ann"),
                next: "calls:")
        case "calls:":
            return V1.ExportMyAccountResponse(
                section: "calls",
                calls: [V1.ExportedCall(requestId: "1"), V1.ExportedCall(requestId: "2")],
                next: "calls:2")
        case "calls:2":
            return V1.ExportMyAccountResponse(
                section: "calls", calls: [V1.ExportedCall(requestId: "3")], next: "messages:")
        default: return V1.ExportMyAccountResponse(section: "messages")
        }
    }

    private func names(_ document: String) throws -> [String: [String]] {
        let object = try JSONSerialization.jsonObject(with: Data(document.utf8))
        let sections = try #require(object as? [String: [[String: Any]]])
        return sections.mapValues { rows in
            rows.compactMap { ($0["openid"] ?? $0["requestId"]) as? String }
        }
    }

    private let expected = ["account": ["o\"ann"], "calls": ["1", "2", "3"], "messages": []]

    @Test func theDocumentIsWrittenIntoAFileThatOnlyItsOwnerReads() async throws {
        let test = try CommandTest()
        try test.signIn()
        let path = test.folder.path + "/me.json"
        try test.folder.write("what was there", to: "me.json")
        let outcome = try await test.run("account", "export", "--output", path, against: [pages])
        #expect(outcome.status == 0)
        #expect(outcome.output == "Wrote 4 rows to \(path).\n")
        #expect(try names(String(contentsOfFile: path, encoding: .utf8)) == expected)
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? Int == 0o600)
        let left = try FileManager.default.contentsOfDirectory(atPath: test.folder.path)
        #expect(!left.contains { $0.hasSuffix(".new") })
    }

    @Test func aHyphenWritesToStandardOutput() async throws {
        let test = try CommandTest()
        try test.signIn()
        let outcome = try await test.run("account", "export", "-o", "-", against: [pages])
        #expect(outcome.status == 0)
        #expect(try names(outcome.output) == expected)
        #expect(outcome.output.hasSuffix("]}\n"))
    }

    @Test func whatBreaksOffLeavesNoFileAndTheOneThatWasThere() async throws {
        let test = try CommandTest()
        try test.signIn()
        let path = test.folder.path + "/me.json"
        try test.folder.write("what was there", to: "me.json")
        let breaks = MethodRegistration.unary(Methods.AccountsService.exportMyAccount) {
            (request: V1.ExportMyAccountRequest, _) -> V1.ExportMyAccountResponse in
            guard request.after.isEmpty else { throw Failure(.invalidRequest, "No such place.") }
            return V1.ExportMyAccountResponse(section: "account", next: "calls:")
        }
        let outcome = try await test.run("account", "export", "-o", path, against: [breaks])
        #expect(outcome.status != 0)
        #expect(outcome.errors.contains("No such place."))
        #expect(try String(contentsOfFile: path, encoding: .utf8).hasPrefix("what was there"))
        let left = try FileManager.default.contentsOfDirectory(atPath: test.folder.path)
        #expect(!left.contains { $0.hasSuffix(".new") })
    }

    @Test func pagesThatDoNotEndAreGivenUp() async throws {
        let test = try CommandTest()
        try test.signIn()
        let endless = MethodRegistration.unary(Methods.AccountsService.exportMyAccount) {
            (_: V1.ExportMyAccountRequest, _) in
            V1.ExportMyAccountResponse(section: "calls", next: "calls:1")
        }
        let outcome = try await test.run("account", "export", "-o", "-", against: [endless])
        #expect(outcome.status != 0)
        #expect(outcome.errors.contains("do not end"))
    }
}
