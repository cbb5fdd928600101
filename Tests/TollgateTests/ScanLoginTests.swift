import Foundation
import Sandbox
import Testing
import TollgateKernel

/// A login by QR code over real processes: the command line draws it, a phone at the sandbox scans
/// and answers.
@Suite(.serialized) struct ScanLoginTests {
    private func with(_ body: (RunningLoop) async throws -> Void) async throws {
        let loop = try RunningLoop()
        do {
            for name in ["sandbox", "serve", "web"] { try loop.start(name) }
            _ = try await loop.eventually { try await loop.sandbox.follow(phone: "bob") }
            try await body(loop)
        } catch {
            Issue.record("serve: \(loop.log("serve"))\nlogin: \(loop.log("login"))")
            await loop.end()
            throw error
        }
        await loop.end()
    }

    /// The first value of a name in what a command has written.
    private func field(_ name: String, _ loop: RunningLoop, of log: String) async throws -> String {
        try await loop.eventually { () -> String? in
            let pattern = try Regex("\"\(name)\":\"?([^\",}]+)")
            let match = try pattern.firstMatch(in: loop.output(log))
            return match?.output[1].substring.map(String.init)
        }
    }

    @Test(.timeLimit(.minutes(3)))
    func `A phone signs a command line in, though the server is killed in between`() async throws {
        try await with { loop in
            let login = try loop.command(["login", "--scan", "--json"], name: "login")
            let url = try await field("codeUrl", loop, of: "login")
            let asked = try await loop.sandbox.scan(phone: "ann", scene: url)
            #expect(asked.reply?.contains("asks to sign in as you") == true, "\(asked)")
            let number = try await field("number", loop, of: "login")
            await loop.kill9("serve")
            try loop.start("serve")
            let confirmed = try await loop.eventually { () -> String? in
                let outcome = try await loop.sandbox.send(number, phone: "ann")
                return outcome.fault == nil ? outcome.reply : nil
            }
            #expect(confirmed.contains("Confirmed"), "\(confirmed)")
            #expect(await login.ended() == 0)
            let account = try await field("accountId", loop, of: "login")
            let me = try loop.command(["whoami", "--json"], name: "whoami")
            #expect(await me.ended() == 0)
            #expect(loop.output("whoami").contains(account))
            #expect(!loop.output("serve").contains(asked.openID), "logs hold no openid")
        }
    }

    @Test(.timeLimit(.minutes(3)))
    func `A no on the phone and Ctrl-C at the screen sign nobody in`() async throws {
        try await with { loop in
            let login = try loop.command(["login", "--scan", "--json"], name: "login")
            let url = try await field("codeUrl", loop, of: "login")
            _ = try await loop.sandbox.scan(phone: "bob", scene: url)
            let declined = try await loop.sandbox.send("no", phone: "bob")
            #expect(declined.reply?.contains("nobody was signed in") == true, "\(declined)")
            #expect(await login.ended() == 5)
            #expect(loop.output("login").contains("forbidden"))

            let second = try loop.command(["login", "--scan", "--json"], name: "second")
            let other = try await field("codeUrl", loop, of: "second")
            second.interrupt()
            #expect(await second.ended() == 130)
            let late = try await loop.sandbox.scan(phone: "bob", scene: other)
            #expect(late.reply?.contains("no longer works") == true, "\(late)")
            let me = try loop.command(["whoami", "--json"], name: "whoami")
            #expect(await me.ended() == 3)
        }
    }
}
