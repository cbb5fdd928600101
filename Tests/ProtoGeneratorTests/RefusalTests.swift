import Testing

/// What the generator refuses, and the sentence it says.
@Suite struct RefusalTests {
    private func refusal(of file: String) throws -> String {
        let outcome = try Protoc.generate([file])
        #expect(outcome.status != 0, "\(file) was not refused")
        #expect(outcome.files.isEmpty)
        return outcome.errors
    }

    @Test func `a recursive message is refused with its circle`() throws {
        let errors = try refusal(of: "recursive.proto")
        #expect(
            errors.contains(
                "tollgate.v1.Branch: recursive messages are refused, protobuf-c unpacks them "
                    + "without a limit to their depth: "
                    + "tollgate.v1.Branch → tollgate.v1.Tree → tollgate.v1.Branch"))
    }

    @Test func `the word optional is refused with the way out`() throws {
        let errors = try refusal(of: "optional_word.proto")
        #expect(
            errors.contains(
                "tollgate.v1.Maybe.number: the word optional is refused, protobuf-c does not bear "
                    + "it; use a oneof with this one member"))
    }

    @Test func `types that Tollgate does not speak are refused, each by its place`() throws {
        let errors = try refusal(of: "refused_types.proto")
        #expect(errors.contains("tollgate.v1.Refused.ratio: the type float is refused"))
        #expect(errors.contains("tollgate.v1.Refused.delta: the type sint64 is refused"))
        #expect(
            errors.contains("Refused.counts: of maps, only map<string, string> is spoken"))
        #expect(errors.contains("tollgate.v1.Refused.init: a field cannot have this name"))
    }

    @Test func `a method without facts is refused`() throws {
        let errors = try refusal(of: "no_facts_service.proto")
        #expect(errors.contains("tollgate.v1.NoFactsService/Put: states no facts"))
    }

    @Test func `facts that leave out access, deadline or roles are refused`() throws {
        let errors = try refusal(of: "half_facts_service.proto")
        #expect(errors.contains("HalfFactsService/NoAccess: its facts do not say who has access"))
        #expect(errors.contains("/NoDeadline: its facts state no default_deadline_milliseconds"))
        #expect(errors.contains("/NoRoles: access SERVICE needs the roles that may call"))
    }

    @Test func `a stream of requests that says it may be repeated is refused`() throws {
        let errors = try refusal(of: "repeatable_stream_service.proto")
        #expect(errors.contains("RepeatableStreamService/Upload: a stream of requests cannot be"))
    }

    @Test(arguments: ["Delete", "Switch", "Service", "Init"])
    func `a method named like a word of C, Swift or ours is refused`(name: String) throws {
        let errors = try refusal(of: "keyword_service.proto")
        #expect(
            errors.contains(
                "tollgate.v1.KeywordService/\(name): \(name.lowercased()) is a word of C, Swift"))
    }

    @Test func `messages beside services are refused`() throws {
        let errors = try refusal(of: "mixed.proto")
        #expect(errors.contains("mixed.proto: services stand in a file named x_service.proto"))
        #expect(errors.contains("messages and enums stand in a file of their own"))
    }

    @Test func `another package is refused`() throws {
        #expect(try refusal(of: "foreign.proto").contains("must be package tollgate.v1"))
    }

    @Test func `an unknown parameter is refused`() throws {
        let outcome = try Protoc.generate(["good.proto"], parameter: "colour=blue")
        #expect(outcome.status != 0)
        #expect(outcome.errors.contains("the parameter colour=blue is not known"))
    }
}
