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

    private func refusal(_ body: () async throws -> Void) async -> Int? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? SandboxControlError)?.status
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

    @Test func `a channel is not told to do what it cannot`() async throws {
        try await RunningSandbox.run { sandbox in
            let control = SandboxControl(baseURL: sandbox.baseURL)
            for (status, cut) in [(9_999, nil), (200, nil), (503, -1)] as [(Int, Int?)] {
                var switches = ChannelSwitches()
                switches.failStatus = status
                switches.cutsAfterChunks = cut
                let status = await refusal { [switches] in
                    _ = try await control.setChannel("a", switches)
                }
                #expect(status == 400)
            }
            let kept = try await control.switches().channels["a"]
            #expect(kept == ChannelSwitches())
        }
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
