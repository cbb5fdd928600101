import CTollgate
import TollgateClient

/// What is written into the caller's error.
struct CallFailure: Error {
    let error: TollgateError

    init(_ error: TollgateError) { self.error = error }

    init(_ error: any Error) {
        switch error {
        case let error as TollgateError: self.init(error)
        case let error as CallFailure: self = error
        case is CancellationError:
            self.init(code: "cancelled", "The call was cancelled.")
        default:
            self.init(code: "internal_error", "\(error)")
        }
    }

    init(code: String, _ message: String) {
        self.init(TollgateError(code: code, message: message))
    }

    /// Writes the failure for C; a sentence that is too long is cut between characters.
    func write(to pointer: UnsafeMutablePointer<tollgate_error>?) {
        guard let pointer else { return }
        pointer.pointee = tollgate_error()
        withUnsafeMutableBytes(of: &pointer.pointee.code) { Self.copy(error.code, to: $0) }
        withUnsafeMutableBytes(of: &pointer.pointee.message) { Self.copy(error.message, to: $0) }
        pointer.pointee.http_status = Int32(error.httpStatus)
        pointer.pointee.retry_after_milliseconds = error.retryAfterMilliseconds ?? -1
    }

    private static func copy(_ text: String, to bytes: UnsafeMutableRawBufferPointer) {
        var length = 0
        for character in text {
            let size = character.utf8.count
            guard length + size < bytes.count else { break }
            for byte in character.utf8 {
                bytes[length] = byte
                length += 1
            }
        }
        bytes[length] = 0
    }
}
