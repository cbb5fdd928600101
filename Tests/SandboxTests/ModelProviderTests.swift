import Foundation
import Testing

@testable import Sandbox

@Suite struct ModelProviderTests {
    private func complete(
        _ sandbox: RunningSandbox, _ body: String, channel: String = "a", key: String? = nil
    ) async throws -> OutgoingResponse {
        try await sandbox.send(
            "POST", "/openai/\(channel)/v1/chat/completions",
            headers: [
                (
                    "Authorization",
                    "Bearer \(key ?? sandbox.keys.tollgate.modelKeys[channel] ?? "")"
                ),
                ("Content-Type", "application/json"),
            ], body: body)
    }

    private func instant(_ configuration: inout SandboxConfiguration) {
        for index in configuration.models.channels.indices {
            configuration.models.channels[index].switches.isInstant = true
        }
    }

    /// The events of a stream; fails if anything stands between them.
    private func events(of response: OutgoingResponse) throws -> [String] {
        let text = String(decoding: response.body, as: UTF8.self)
        #expect(text.hasSuffix("\n\n"))
        return try text.components(separatedBy: "\n\n").dropLast().map { event in
            try #require(event.hasPrefix("data: "))
            #expect(!event.contains("\n"))
            return String(event.dropFirst(6))
        }
    }

    @Test func `a stream is role, tokens, finish reason, usage and DONE`() async throws {
        try await RunningSandbox.run(configure: instant) { sandbox in
            let response = try await complete(
                sandbox,
                #"""
                {"model":"gpt-4o-mini","messages":[{"role":"user","content":"count to 3"}],
                 "stream":true,"stream_options":{"include_usage":true}}
                """#)
            #expect(response.status == 200)
            #expect(response.header("content-type") == "text/event-stream; charset=utf-8")
            let events = try events(of: response)
            #expect(events.last == "[DONE]")
            let chunks = try events.dropLast().map {
                try #require(JSONValue(parsing: Array($0.utf8)))
            }
            // "1" "," " 2" "," " 3": a role, five tokens, a finish reason, a usage.
            try #require(chunks.count == 8)
            let prefix = try #require(
                events[0].firstRange(of: #"{"index":0,"delta":{"role":"assistant","content":"""#))
            #expect(events[0][..<prefix.lowerBound].hasPrefix(#"{"id":"chatcmpl-"#))
            #expect(
                events[1].hasSuffix(
                    #""choices":[{"index":0,"delta":{"content":"1"},"logprobs":null,"#
                        + #""finish_reason":null}],"usage":null}"#))
            let text = chunks[1...5].compactMap { chunk -> String? in
                guard case .array(let choices) = chunk["choices"] else { return nil }
                return choices.first?["delta"]?["content"]?.stringValue
            }
            #expect(text == ["1", ",", " 2", ",", " 3"])
            #expect(
                events[6].contains(
                    #"[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}]"#))
            #expect(chunks[7]["choices"] == .array([]))
            // "count" " to" " 3" and 4 + 3 around them.
            #expect(chunks[7]["usage"]?["prompt_tokens"] == 10)
            #expect(chunks[7]["usage"]?["completion_tokens"] == 5)
            #expect(chunks[7]["usage"]?["total_tokens"] == 15)
            #expect(chunks.allSatisfy { $0["object"] == "chat.completion.chunk" })
            #expect(Set(chunks.map { $0["id"] }).count == 1)
        }
    }

    @Test func `without stream_options no chunk speaks of usage`() async throws {
        try await RunningSandbox.run(configure: instant) { sandbox in
            let response = try await complete(
                sandbox,
                #"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"hi"}]}"#)
            #expect(!String(decoding: response.body, as: UTF8.self).contains("usage"))
        }
    }

    @Test func `an answer that is not streamed has the same words and counts`() async throws {
        try await RunningSandbox.run(configure: instant) { sandbox in
            let body = #""model":"gpt-4o","messages":[{"role":"user","content":"如何学好游泳？"}]"#
            let whole = try await complete(sandbox, "{\(body)}")
            let object = try #require(JSONValue(parsing: whole.body))
            guard case .array(let choices) = object["choices"] else {
                Issue.record("no choices")
                return
            }
            let text = try #require(choices[0]["message"]?["content"]?.stringValue)
            #expect(text.contains("如何学好游泳？"))
            let streamed = try await complete(
                sandbox, #"{\#(body),"stream":true,"stream_options":{"include_usage":true}}"#)
            let events = try events(of: streamed)
            let chunks = events.dropLast().compactMap { JSONValue(parsing: Array($0.utf8)) }
            let joined = chunks.compactMap { chunk -> String? in
                guard case .array(let choices) = chunk["choices"] else { return nil }
                return choices.first?["delta"]?["content"]?.stringValue
            }.joined()
            #expect(joined == text)
            #expect(chunks.last?["usage"] == object["usage"])
        }
    }

    @Test func `max_tokens cuts the answer with finish_reason length`() async throws {
        try await RunningSandbox.run(configure: instant) { sandbox in
            let response = try await complete(
                sandbox,
                #"""
                {"model":"gpt-4o","max_tokens":4,
                 "messages":[{"role":"user","content":"count to 50"}]}
                """#)
            let object = try #require(JSONValue(parsing: response.body))
            #expect(object["usage"]?["completion_tokens"] == 4)
            let text = String(decoding: response.body, as: UTF8.self)
            #expect(text.contains(#""finish_reason":"length""#))
            #expect(text.contains(#""content":"1, 2,""#))
        }
    }

    @Test func `a wrong key, model or body is refused in OpenAI's words`() async throws {
        try await RunningSandbox.run(configure: instant) { sandbox in
            let good = #"{"model":"gpt-4o","messages":[{"role":"user","content":"hi"}]}"#
            let wrongKey = try await complete(sandbox, good, key: "sk-no")
            #expect(wrongKey.status == 401)
            #expect(JSONValue(parsing: wrongKey.body)?["error"]?["code"] == "invalid_api_key")
            let otherChannels = try await complete(
                sandbox, good, channel: "b", key: sandbox.keys.tollgate.modelKeys["a"])
            #expect(otherChannels.status == 401)
            let wrongModel = try await complete(
                sandbox, #"{"model":"no","messages":[{"role":"user","content":"hi"}]}"#)
            #expect(wrongModel.status == 404)
            #expect(JSONValue(parsing: wrongModel.body)?["error"]?["code"] == "model_not_found")
            for body in ["{", "[]", #"{"model":"gpt-4o"}"#, #"{"model":"gpt-4o","messages":[]}"#] {
                let response = try await complete(sandbox, body)
                #expect(response.status == 400)
                #expect(
                    JSONValue(parsing: response.body)?["error"]?["type"] == "invalid_request_error")
            }
        }
    }

    @Test func `tokens come at the pace that was asked for`() async throws {
        try await RunningSandbox.run { configuration in
            configuration.models.tokensPerSecond = 50
        } _: { sandbox in
            let start = ContinuousClock.now
            // 19 tokens: ten numbers, nine commas; a role before and a finish reason after them.
            let response = try await complete(
                sandbox,
                #"""
                {"model":"gpt-4o","stream":true,
                 "messages":[{"role":"user","content":"count to 10"}]}
                """#)
            #expect(response.status == 200)
            let duration = ContinuousClock.now - start
            #expect(duration >= .milliseconds(390))
            #expect(duration < .seconds(30))
        }
    }
}

@Suite struct ModelSwitchTests {
    private let question =
        #"{"model":"gpt-4o","stream":true,"messages":[{"role":"user","content":"count to 9"}]}"#

    /// Runs a sandbox whose channel `a` has some switches, and asks that channel.
    private func ask(
        waitingMilliseconds: Int64 = 15_000, switches: (inout ChannelSwitches) -> Void,
        _ check: (Result<OutgoingResponse, any Error>, ModelCall) throws -> Void
    ) async throws {
        try await RunningSandbox.run { configuration in
            for index in configuration.models.channels.indices {
                configuration.models.channels[index].switches.isInstant = true
                if configuration.models.channels[index].name == "a" {
                    switches(&configuration.models.channels[index].switches)
                }
            }
        } _: { sandbox in
            let key = sandbox.keys.tollgate.modelKeys["a"] ?? ""
            let result: Result<OutgoingResponse, any Error>
            do {
                result = .success(
                    try await OutgoingHTTP.send(
                        OutgoingRequest(
                            url: sandbox.baseURL + "/openai/a/v1/chat/completions",
                            headers: [("Authorization", "Bearer \(key)")],
                            body: Array(question.utf8)), timeoutMilliseconds: waitingMilliseconds))
            } catch {
                result = .failure(error)
            }
            let control = SandboxControl(baseURL: sandbox.baseURL)
            var call: ModelCall?
            _ = try await eventually {
                call = try await control.modelCalls().last
                return call?.outcome != .running
            }
            try check(result, try #require(call))
        }
    }

    @Test(arguments: [429, 500, 503]) func `a channel fails with the status it was told`(
        status: Int
    ) async throws {
        try await ask {
            $0.failStatus = status
            $0.retryAfterSeconds = 7
        } _: { result, call in
            let response = try result.get()
            #expect(response.status == status)
            #expect(response.header("retry-after") == "7")
            #expect(JSONValue(parsing: response.body)?["error"]?["message"]?.stringValue != nil)
            #expect(call.outcome == .refused)
        }
    }

    @Test func `a channel closes the connection instead of answering`() async throws {
        try await ask {
            $0.closesConnection = true
        } _: { result, call in
            #expect(throws: OutgoingHTTPError.self) { try result.get() }
            #expect(call.outcome == .disturbed)
            #expect(call.status == 0)
        }
    }

    @Test func `a stream is cut in the middle of the HTTP answer`() async throws {
        try await ask {
            $0.cutsAfterChunks = 3
        } _: { result, call in
            #expect(throws: OutgoingHTTPError.self) { try result.get() }
            #expect(call.outcome == .disturbed)
            #expect(call.completionTokens == 2)
        }
    }

    @Test func `a stream ends in good order but without DONE`() async throws {
        try await ask {
            $0.cutsAfterChunks = 3
            $0.cutsCleanly = true
        } _: { result, _ in
            let text = String(decoding: try result.get().body, as: UTF8.self)
            #expect(text.components(separatedBy: "data: ").count == 4)
            #expect(!text.contains("[DONE]"))
        }
    }

    @Test func `a stalled stream notices that its client left`() async throws {
        try await ask(waitingMilliseconds: 1_500) {
            $0.stallsAfterChunks = 2
        } _: { result, call in
            #expect(throws: OutgoingHTTPError.timedOut) { try result.get() }
            #expect(call.outcome == .clientLeft)
            #expect(call.completionTokens == 1)
        }
    }
}
