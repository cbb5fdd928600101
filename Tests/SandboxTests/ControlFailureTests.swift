import Testing
import TollgateKernel

@testable import Sandbox

/// What is said where no sandbox answers.
@Suite struct ControlFailureTests {
    private func failure(at address: String) async -> SandboxControlError? {
        await #expect(throws: SandboxControlError.self) {
            try await SandboxControl(baseURL: address).phones()
        }
    }

    @Test func `nobody there is told with the address`() async throws {
        // Port 1 (tcpmux) is below those that tests listen on, and nobody serves it.
        let failure = await failure(at: "http://127.0.0.1:1")
        #expect(failure?.status == nil)
        #expect(failure?.message == "There is no sandbox at http://127.0.0.1:1.")
    }

    @Test func `an address that is none is told`() async throws {
        let failure = await failure(at: "http://somewhere:port")
        #expect(failure?.message == "http://somewhere:port is no address of a sandbox.")
    }

    @Test func `somebody else who answers is told`() async throws {
        try await RunningSandbox.run { sandbox in
            // Below this path there is no control interface.
            let failure = await failure(at: "\(sandbox.baseURL)/elsewhere")
            #expect(failure?.status == nil)
            #expect(
                failure?.message == "What listens at \(sandbox.baseURL)/elsewhere is no sandbox.")
        }
    }
}
