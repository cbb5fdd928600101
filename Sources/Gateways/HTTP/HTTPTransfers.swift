internal import CCurl
internal import Glibc
internal import Synchronization
internal import TollgateKernel

/// Requests to other systems over HTTP/1.1, on libcurl's multi interface with a thread of its own.
///
/// No caller's thread ever waits. Certificates are always verified; redirects are not followed; the
/// environment's proxies and the process's signals are left alone. A request whose reused
/// connection turns out to be dead is sent again by curl on a fresh one, if no byte of an answer
/// had come.
///
/// ```swift
/// let transfers = try HTTPTransfers.start()
/// let answer = try await transfers.perform(OutgoingRequest(.get, url: "https://example.com/"))
/// await transfers.shutdown()
/// ```
package final class HTTPTransfers: Sendable {
    /// What holds for every request.
    package struct Configuration: Sendable {
        /// A PEM file of authorities to trust in place of the system's; for the sandbox.
        package var certificateAuthorityFile: String?
        /// How we name ourselves; WeChat refuses requests without.
        package var userAgent: String
        /// How many transfers are under way at most; one more is refused at once.
        package var mostTransfers: Int

        /// Makes a configuration.
        package init(
            certificateAuthorityFile: String? = nil, userAgent: String = "tollgate/0.1",
            mostTransfers: Int = Limits.outgoingTransfers
        ) {
            self.certificateAuthorityFile = certificateAuthorityFile
            self.userAgent = userAgent
            self.mostTransfers = mostTransfers
        }
    }

    private let mailbox: TransferMailbox
    /// Nil once joined.
    private let thread: Mutex<pthread_t?>
    private let lastNumber = Atomic<UInt64>(0)

    private init(mailbox: TransferMailbox, thread: pthread_t) {
        self.mailbox = mailbox
        self.thread = Mutex(thread)
    }

    deinit {
        // Without an orderly shutdown the thread ends by itself and frees what it holds.
        guard let thread = thread.withLock({ $0.take() }) else { return }
        mailbox.stop()
        pthread_detach(thread)
    }

    /// Starts the thread.
    package static func start(_ configuration: Configuration = Configuration())
        throws(TransferFailure) -> HTTPTransfers
    {
        guard curlIsReady else {
            throw TransferFailure(.shutDown, "libcurl could not be set up")
        }
        let mailbox = try TransferMailbox()
        let loop = try TransferLoop(mailbox: mailbox, configuration: configuration)
        let start = Unmanaged.passRetained(TransferThreadStart(loop: loop, mailbox: mailbox))
        var thread = pthread_t()
        guard pthread_create(&thread, nil, runTransferThread, start.toOpaque()) == 0 else {
            start.release()
            throw TransferFailure(.shutDown, "The transfer thread could not be started")
        }
        return HTTPTransfers(mailbox: mailbox, thread: thread)
    }

    /// Fails what is under way, refuses what comes, and joins the thread.
    package func shutdown() async {
        mailbox.stop()
        await mailbox.stopped()
        // The thread has nothing left to do but to return, so joining takes no time.
        guard let thread = thread.withLock({ $0.take() }) else { return }
        pthread_join(thread, nil)
    }

    /// Sends a request and reads the whole answer, at most ``Limits/outgoingResponseBytes``.
    ///
    /// - Throws: ``TransferFailure``, or `CancellationError` if the task was cancelled; the
    ///   connection is closed before that is thrown.
    package func perform(_ request: OutgoingRequest) async throws -> OutgoingResponse {
        let transfer = try begin(request, .whole)
        do {
            return try await transfer.whole()
        } catch {
            await abandon(transfer)
            throw error
        }
    }

    /// Sends a request and lets `read` take the answer as it arrives.
    ///
    /// What `read` does not take waits: beyond ``Limits/outgoingBufferedBytes`` the socket is left
    /// alone until it does. When `read` returns early the rest is discarded for up to
    /// ``Limits/outgoingLingerMilliseconds``, so that the connection can be used again; when it
    /// throws, the connection is closed before this returns.
    ///
    /// - Throws: ``TransferFailure``, `CancellationError`, or what `read` threw.
    package func withResponse<Value>(
        to request: OutgoingRequest,
        _ read: (ResponseHead, IncomingBody) async throws -> Value
    ) async throws -> Value {
        let transfer = try begin(request, .streamed)
        do {
            let head = try await transfer.head()
            let value = try await read(head, IncomingBody(transfer: transfer, mailbox: mailbox))
            if !transfer.hasEnded { _ = mailbox.post(.linger(transfer.number)) }
            return value
        } catch {
            await abandon(transfer)
            throw error
        }
    }

    private func begin(_ request: OutgoingRequest, _ delivery: Transfer.Delivery) throws -> Transfer
    {
        try Task.checkCancellation()
        try request.validate()
        let number = lastNumber.wrappingAdd(1, ordering: .relaxed).newValue
        let transfer = Transfer(number: number, request: request, delivery: delivery)
        guard mailbox.post(.begin(transfer)) else {
            throw TransferFailure(.shutDown, "Shutting down")
        }
        return transfer
    }

    /// Returns when the transfer's connection is closed, unless it had ended before.
    private func abandon(_ transfer: Transfer) async {
        // A thread that takes no more commands is ending, and lets go of every transfer.
        await transfer.ended { _ = mailbox.post(.remove(transfer.number)) }
    }
}

/// The body of an answer that is read as it arrives; valid inside
/// ``HTTPTransfers/withResponse(to:_:)`` alone.
package struct IncomingBody: Sendable {
    let transfer: Transfer
    let mailbox: TransferMailbox

    /// The next bytes; nil at the end of a whole body.
    package func next() async throws -> [UInt8]? {
        switch try await transfer.next(resume: { _ = mailbox.post(.resume(transfer.number)) }) {
        case .bytes(let bytes): bytes
        case .end: nil
        }
    }
}

/// Set up once for the process; curl's own set-up is safe between threads since 7.84.
private let curlIsReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

/// What is handed to the new thread, which is the loop's only user from then on.
private final class TransferThreadStart {
    let loop: TransferLoop
    let mailbox: TransferMailbox

    init(loop: TransferLoop, mailbox: TransferMailbox) {
        self.loop = loop
        self.mailbox = mailbox
    }
}

private func runTransferThread(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { return nil }
    // Signals are for the main thread; a write to a closed socket is an error here, not SIGPIPE.
    var signals = sigset_t()
    sigfillset(&signals)
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    let mailbox = runLoop(context)
    mailbox.markStopped()
    return nil
}

/// Runs and frees the loop, so that every descriptor is closed when the mailbox is told.
private func runLoop(_ context: UnsafeMutableRawPointer) -> TransferMailbox {
    let start = Unmanaged<TransferThreadStart>.fromOpaque(context).takeRetainedValue()
    start.loop.run()
    return start.mailbox
}

extension OutgoingRequest {
    /// Refuses what could put a second request or field on the wire.
    fileprivate func validate() throws(TransferFailure) {
        let address = url.utf8
        guard url.hasPrefix("https://") || url.hasPrefix("http://"), address.count <= 8_192,
            address.allSatisfy({ (0x21...0x7e).contains($0) })
        else { throw TransferFailure(.invalidRequest, "The address is not one of HTTP") }
        for (name, value) in headers {
            guard !name.isEmpty, name.utf8.allSatisfy(Self.isFieldNameByte),
                value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 })
            else { throw TransferFailure(.invalidRequest, "A header field cannot be sent") }
        }
    }

    private static func isFieldNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"):
            true
        default: false
        }
    }
}
