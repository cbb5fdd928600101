package import TollgateKernel
import TollgateWire

/// How a call failed, as the wire says it.
package struct RPCError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The number in `RpcResponseMeta.error_code`; never 0.
    package var code: Int32
    /// One sentence.
    package var text: String
    /// Metadata of the answer.
    package var userFields: [String: String]
    /// Whether the server certainly did nothing, so that repeating the call is safe.
    package var isNotProcessed: Bool
    /// How long to wait before trying again, in milliseconds, if the server said so (E7).
    package var retryAfterMilliseconds: Int64?

    /// Makes an error.
    package init(
        code: Int32, text: String, userFields: [String: String] = [:], isNotProcessed: Bool = false,
        retryAfterMilliseconds: Int64? = nil
    ) {
        self.retryAfterMilliseconds = retryAfterMilliseconds
        self.code = code
        self.text = text
        self.userFields = userFields
        self.isNotProcessed = isNotProcessed
    }

    package var description: String { "[E\(code)] \(text)" }

    /// The text as far as it is sent.
    var sentText: String { text.cut(toBytes: Limits.rpcErrorTextBytes) }

    /// bRPC's numbers (rpc-wire, 1.7) that this code sends or makes.
    package enum Code {
        /// No such service.
        package static let noService: Int32 = 1_001
        /// No such method.
        package static let noMethod: Int32 = 1_002
        /// The request cannot be read.
        package static let badRequest: Int32 = 1_003
        /// The connection's credential is missing or wrong.
        package static let unauthenticated: Int32 = 1_004
        /// The deadline passed.
        package static let timedOut: Int32 = 1_008
        /// The connection broke while the call ran.
        package static let connectionFailed: Int32 = 1_009
        /// The caller waits for too many calls already.
        package static let overcrowded: Int32 = 1_011
        /// The peer closed the connection.
        package static let endOfFile: Int32 = 1_014
        /// The handler failed.
        package static let internalError: Int32 = 2_001
        /// The response cannot be read.
        package static let badResponse: Int32 = 2_002
        /// The server is stopping.
        package static let loggedOff: Int32 = 2_003
        /// Too many calls run on the connection.
        package static let limit: Int32 = 2_004
        /// The caller cancelled: ECANCELED.
        package static let cancelled: Int32 = 125
        /// No connection could be made: ECONNREFUSED.
        package static let connectionRefused: Int32 = 111
    }

    /// Metadata keys of a failed answer.
    package enum Field {
        /// The failure's stable code.
        package static let code = "x-error-code"
        /// How long to wait before trying again, in milliseconds.
        package static let retryAfter = "retry-after-ms"
    }
}

extension Failure {
    /// What a caller hears of a request, or of a message of its stream, that no server takes.
    static let requestTooLarge = Failure(.invalidRequest, "The request is too large.")

    /// What a caller hears whose handler answers with more than its own end takes.
    static let responseTooLarge = Failure(
        .internalError, "The response is larger than a packet may be.")
}

extension RPCError {
    /// What a failed use case looks like on the wire.
    package init(_ failure: Failure) {
        self.init(
            code: failure.code.wireCode, text: failure.message,
            userFields: [Field.code: failure.code.rawValue],
            isNotProcessed: failure.isNotProcessed)
        if let pause = failure.retryAfterMilliseconds {
            userFields[Field.retryAfter] = String(pause)
            retryAfterMilliseconds = pause
        }
    }

    /// What any error a handler throws looks like on the wire: only what was meant for the caller
    /// crosses it.
    package init(thrown error: any Error) {
        switch error {
        case let failure as Failure:
            self.init(failure)
        case let error as RPCError:
            self = error
        case let error as WireError:
            self.init(code: error.wireCode, text: error.description)
        case is CancellationError:
            self.init(Failure(.cancelled, "The call was cancelled."))
        default:
            self.init(Failure(.internalError, "Something went wrong on our side."))
        }
    }

    /// Whether an error that a handler threw was meant for nobody: its caller learns that something
    /// went wrong, and only the log can say what.
    static func isUnforeseen(_ error: any Error) -> Bool {
        switch error {
        case is Failure, is RPCError, is WireError, is CancellationError: false
        default: true
        }
    }

    /// What the error means to a use case: the failure that crossed the wire, or what the
    /// transport's own number stands for.
    package var failure: Failure {
        Failure(
            failureCode, text,
            retryAfterMilliseconds: retryAfterMilliseconds
                ?? userFields[Field.retryAfter].flatMap { Int64($0) })
    }

    private var failureCode: Failure.Code {
        if let name = userFields[Field.code], let code = Failure.Code(rawValue: name) {
            return code
        }
        if let code = Failure.Code(wireCode: code) { return code }
        switch code {
        case Code.noService, Code.noMethod, Code.badRequest: return .invalidRequest
        case Code.unauthenticated: return .unauthenticated
        case Code.loggedOff, Code.limit, Code.overcrowded, Code.connectionRefused:
            return .unavailable
        case Code.connectionFailed, Code.endOfFile:
            return isNotProcessed ? .unavailable : .unknownOutcome
        default: return .internalError
        }
    }
}
