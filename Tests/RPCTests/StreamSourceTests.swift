import Testing

@testable import TollgateRPC

/// The receiving end of a stream by itself.
@Suite(.timeLimit(.minutes(1))) struct StreamSourceTests {
    @Test func `a second reader is told so, and the first one reads on`() async {
        let source = StreamSource { _, _ in
        } cancelled: {
        }
        let outcomes = await withTaskGroup(of: String.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    do {
                        return "read \(try await source.next() ?? [])"
                    } catch {
                        return (error as? RPCError)?.text ?? "\(error)"
                    }
                }
            }
            var outcomes: [String] = []
            for await outcome in group {
                outcomes.append(outcome)
                if outcomes.count == 2 { source.deliver([7]) }
            }
            return outcomes
        }
        let refusals = outcomes.dropLast()
        #expect(refusals.allSatisfy { $0.contains("a stream has one reader") }, "\(outcomes)")
        #expect(outcomes.last == "read [7]")
    }
}
