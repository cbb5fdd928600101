import NIOCore
import Testing
import TollgateKernel
import TollgateRPC
import TollgateWire

@Suite(.serialized, .timeLimit(.minutes(2))) struct UnaryCallTests {
    @Test(arguments: Reach.allCases)
    func aCallIsAnsweredWithWhatItCarried(reach: Reach) async throws {
        try await withTestServer(reach) { (transport, _) async throws in
            #expect(try await transport.answer(call(TestMethods.echo, [1, 2, 3])) == [1, 2, 3])
            #expect(try await transport.answer(call(TestMethods.echo)) == [])
            let large = [UInt8](repeating: 9, count: 3 * 1_024 * 1_024)
            #expect(try await transport.answer(call(TestMethods.echo, large)) == large)
        }
    }

    @Test(arguments: Reach.allCases)
    func sixtyFourCallersShareAConnection(reach: Reach) async throws {
        try await withTestServer(reach) { (transport, _) async throws in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for caller in 0..<64 {
                    group.addTask { () async throws in
                        for round in 0..<50 {
                            let payload = Array("\(caller)-\(round)".utf8)
                            let method = round % 10 == 0 ? TestMethods.slow : TestMethods.echo
                            #expect(try await transport.answer(call(method, payload)) == payload)
                        }
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    @Test func aFailureCrossesTheWireWhole() async throws {
        try await withTestServer { (transport, _) async throws in
            let error = await errorOf { _ = try await transport.answer(call(TestMethods.fail)) }
            #expect(error?.code == Failure.Code.quotaExhausted.wireCode)
            #expect(
                error?.userFields
                    == ["x-error-code": "quota_exhausted", "retry-after-ms": "1500"])
            #expect(
                error?.failure
                    == Failure(.quotaExhausted, "Buy more.", retryAfterMilliseconds: 1_500))
        }
    }

    @Test func anUnknownErrorTellsTheCallerNothing() async throws {
        try await withTestServer { (transport, _) async throws in
            let error = await errorOf { _ = try await transport.answer(call(TestMethods.crash)) }
            #expect(error?.failure.code == .internalError)
            #expect(error?.text.contains("hunter2") == false)
        }
    }

    @Test func unknownNamesAreAnsweredAsBRPCDoes() async throws {
        try await withTestServer { (transport, _) async throws in
            let noMethod = TestMethods.unary("Nope")
            let noService = TestMethods.unary("Echo", service: "Nope")
            let noDottedService = TestMethods.unary("Echo", service: "no.Service")
            let bareService = TestMethods.unary("Echo", service: "Service")
            let noMethodOfBare = TestMethods.unary("Nope", service: "Service")
            for (method, code) in [
                (noMethod, 1_002 as Int32), (noService, 1_001), (noDottedService, 1_002),
                (noMethodOfBare, 1_002),
            ] {
                let error = await errorOf { _ = try await transport.answer(call(method)) }
                #expect(error?.code == code)
                #expect(error?.isNotProcessed == true)
            }
            #expect(try await transport.answer(call(bareService, [5])) == [5])
        }
    }

    @Test(arguments: Reach.allCases)
    func cancellingTheCallersTaskReachesTheHandler(reach: Reach) async throws {
        let events = Events()
        try await withTestServer(reach, events: events) { (transport, _) async throws in
            // A second call in flight shows that only the first is cancelled.
            async let other = transport.answer(call(TestMethods.gated, [1]))
            #expect(await events.wait(for: "gated started"))
            let caller = Task { try await transport.answer(call(TestMethods.hang)) }
            #expect(await events.wait(for: "hang started"))
            caller.cancel()
            let error = await errorOf { _ = try await caller.value }
            #expect(error?.code == RPCError.Code.cancelled)
            // The cancel left at once: it was read before what was called after it.
            #expect(try await transport.answer(call(TestMethods.echo, [2])) == [2])
            #expect(events.all == ["gated started", "hang started", "hang cancelled"])
            events.report("gate opened")
            #expect(try await other == [1])
        }
    }

    @Test func aCallCancelledBeforeItIsSentFails() async throws {
        try await withTestServer { (transport, _) async throws in
            let caller = Task {
                withUnsafeCurrentTask { $0?.cancel() }
                return try await transport.answer(call(TestMethods.echo, [1]))
            }
            await #expect(throws: RPCError.self) { try await caller.value }
            #expect(try await transport.answer(call(TestMethods.echo, [2])) == [2])
        }
    }

    @Test(arguments: Reach.allCases)
    func aPassedDeadlineEndsBothSides(reach: Reach) async throws {
        let events = Events()
        try await withTestServer(reach, events: events) { (transport, _) async throws in
            let error = await errorOf {
                _ = try await transport.answer(call(TestMethods.hang, milliseconds: 2_000))
            }
            #expect(error?.code == RPCError.Code.timedOut)
            #expect(error?.failure.code == .deadlineExceeded)
            #expect(await events.wait(for: "hang cancelled"))
        }
    }

    @Test func theHandlerSeesWhatIsLeftOfTheDeadline() async throws {
        try await withTestServer { (transport, _) async throws in
            let bytes = try await transport.answer(
                call(TestMethods.remaining, milliseconds: 50_000))
            let left = try #require(ByteBuffer(bytes: bytes).getInteger(at: 0, as: Int64.self))
            #expect((1...50_000).contains(left))
        }
    }
}
