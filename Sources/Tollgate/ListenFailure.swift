import Foundation
import NIOCore
import TollgateKernel
import TollgateRPC

/// Says in a sentence why a role cannot listen, and what to do.
enum ListenFailure {
    /// Runs a role's server; an error that stands for an address that cannot be had, or for a
    /// certificate that cannot be used, becomes a ``Failure``.
    ///
    /// - Parameter flag: What chooses another address, such as `--listen`.
    static func telling<Value>(
        _ address: Address, flag: String, _ body: () async throws -> Value
    ) async throws -> Value {
        do {
            return try await body()
        } catch let error as IOError {
            throw failure(error.errnoCode, "\(error)", address, flag: flag)
        } catch let error as RPCServerError {
            throw failure(error, address, flag: flag)
        }
    }

    /// The failure that a server's refusal stands for.
    static func failure(_ error: RPCServerError, _ address: Address, flag: String) -> Failure {
        switch error {
        case .cannotListen(let reason, let number):
            number.map { failure($0, reason, address, flag: flag) }
                ?? Failure(.unavailable, "\(error)")
        case .addressBeyondLoopback, .certificateUnreadable:
            Failure(.invalidRequest, "\(error)")
        case .duplicateService: Failure(.internalError, "\(error)")
        }
    }

    private static func failure(
        _ number: CInt, _ reason: String, _ address: Address, flag: String
    ) -> Failure {
        guard let path = address.path else { return failure(number, reason, at: address, flag) }
        let folder = (path as NSString).deletingLastPathComponent
        switch number {
        case EADDRINUSE:
            return Failure(
                .unavailable, "Somebody listens on \(path); choose another path with \(flag).")
        case ENOENT, ENOTDIR:
            return Failure(
                .unavailable,
                "The folder \(folder) does not exist; make it, or choose another path with "
                    + "\(flag).")
        case EACCES, EPERM, EROFS:
            return Failure(
                .unavailable,
                "The folder \(folder) may not be written; choose another path with \(flag).")
        case ENAMETOOLONG:
            return Failure(
                .invalidRequest,
                "\(path) is too long for a socket; choose a shorter path with \(flag).")
        case EEXIST:
            return Failure(
                .unavailable,
                "\(path) is there and is no socket; choose another path with \(flag).")
        default:
            return Failure(.unavailable, "\(path) cannot be listened on: \(reason).")
        }
    }

    private static func failure(
        _ number: CInt, _ reason: String, at address: Address, _ flag: String
    ) -> Failure {
        switch number {
        case EADDRINUSE:
            Failure(.unavailable, "\(address) is in use; choose another with \(flag).")
        case EADDRNOTAVAIL:
            Failure(
                .unavailable,
                "\(address.host) is no address of this machine; choose another with \(flag).")
        case EACCES, EPERM:
            Failure(
                .unavailable,
                "Port \(address.port) is for root alone; choose another with \(flag).")
        default: Failure(.unavailable, "\(address) cannot be listened on: \(reason).")
        }
    }
}
