package import ServiceContextModule
import TollgateKernel
import TollgateWire
package import Tracing

/// Carries a trace across the wire, in the metadata of calls.
///
/// The program's own instrument writes and reads what it likes; without one, a `traceparent` as the
/// W3C describes it is handed on as it came, so that a trace does not break at us.
package enum TraceContext {
    /// Adds what a call's metadata must carry; what the caller set stays.
    ///
    /// What came as a `traceparent` is read here, by whoever hands it on: most calls do not.
    package static func inject(
        _ context: ServiceContext?, into userFields: inout [String: String]
    ) {
        if let context {
            InstrumentationSystem.instrument.inject(context, into: &userFields, using: Fields())
        }
        if let trace = CallScope.current?.trace, userFields[TraceParent.field] == nil,
            let parent = TraceParent(trace.description)
        {
            userFields[TraceParent.field] = parent.description
        }
    }

    private struct Fields: Injector, Extractor {
        func inject(_ value: String, forKey key: String, into carrier: inout [String: String]) {
            if carrier[key] == nil { carrier[key] = value }
        }

        func extract(key: String, from carrier: [String: String]) -> String? { carrier[key] }
    }
}

/// A W3C `traceparent`, version 00: which trace, which span of it, and whether it is recorded.
package struct TraceParent: Hashable, Sendable, CustomStringConvertible {
    /// The metadata's key.
    package static let field = RequestFields.traceKey

    /// As it crosses the wire, such as `00-<32 digits>-<16 digits>-01`.
    package let description: String

    /// Reads one; nil if it is none: it comes from outside and goes into logs and headers.
    package init?(_ text: String) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard text.utf8.count == 55, parts.count == 4, parts[0] == "00",
            parts.map(\.utf8.count) == [2, 32, 16, 2],
            parts.allSatisfy({ $0.utf8.allSatisfy(Self.isDigit) }),
            parts[1].contains(where: { $0 != "0" }), parts[2].contains(where: { $0 != "0" })
        else { return nil }
        description = text
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
    }
}

extension TraceContext {
    /// The program's tracer; nil if it has none.
    ///
    /// Looked up where a server or a client is made and not at each call: that costs a lock and two
    /// casts. Programs set their tracer up first, as they do their logger and their metrics.
    package static func currentTracer() -> (any Tracer)? {
        let tracer = InstrumentationSystem.tracer
        return tracer is NoOpTracer ? nil : tracer
    }

    /// What the program has set up to read and write traces; nil if it has nothing.
    ///
    /// Looked up as seldom as ``currentTracer()``.
    static func currentInstrument() -> (any Instrument)? {
        let instrument = InstrumentationSystem.instrument
        return instrument is NoOpInstrument || instrument is NoOpTracer ? nil : instrument
    }

    /// Runs a handler as the instrument wants it, inside the span of its call if there is a tracer;
    /// calls made meanwhile carry the trace on.
    static func serve(
        _ call: ServerCallContext, _ instrument: (any Instrument)?, _ tracer: (any Tracer)?,
        _ handler: () async throws -> Void
    ) async throws {
        var context = ServiceContext.topLevel
        if !call.fields.isEmpty {
            instrument?.extract(call.userFields, into: &context, using: Fields())
        }
        guard let tracer else {
            guard !context.isEmpty else { return try await handler() }
            return try await ServiceContext.$current.withValue(context, operation: handler)
        }
        try await tracer.withAnySpan(
            call.method.fullName, context: context, ofKind: .server
        ) { span in
            span.attributes["rpc.system"] = "tollgate"
            span.attributes["rpc.service"] = call.method.service
            span.attributes["rpc.method"] = call.method.name
            do {
                try await handler()
            } catch {
                span.attributes["error.type"] = RPCError(thrown: error).failure.code.rawValue
                throw error
            }
        }
    }
}
