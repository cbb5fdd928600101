internal import CCurl
internal import Glibc
internal import TollgateKernel

/// The transfer thread's work: waits for sockets, curl's timer and commands in one `epoll_wait`.
///
/// Made by the starting thread, handed over to the transfer thread, and never touched by another
/// after that. `epoll_wait` has curl's own resolution of a millisecond, so its time-out serves as
/// curl's timer without a further descriptor and a system call for every change.
final class TransferLoop {
    private let mailbox: TransferMailbox
    private let configuration: HTTPTransfers.Configuration
    private let multi: UnsafeMutableRawPointer
    private let poll: Int32
    private var events = [epoll_event](repeating: epoll_event(), count: 256)

    private var active: [UInt64: ActiveTransfer] = [:]
    private var idleHandles: [UnsafeMutableRawPointer] = []
    private var curlDeadline: Int64?
    private var nextSweep: Int64 = 0
    private let turn = TransferTurn()

    init(mailbox: TransferMailbox, configuration: HTTPTransfers.Configuration)
        throws(TransferFailure)
    {
        guard let multi = curl_multi_init() else {
            throw TransferFailure(.shutDown, "libcurl could not be set up")
        }
        let poll = tollgate_curl_epoll_descriptor()
        guard poll >= 0,
            tollgate_curl_epoll_add(poll, mailbox.wakeDescriptor, tollgate_curl_epoll_in()) == 0
        else {
            curl_multi_cleanup(multi)
            if poll >= 0 { close(poll) }
            throw TransferFailure(.shutDown, "No descriptor for the transfer thread")
        }
        self.mailbox = mailbox
        self.configuration = configuration
        self.multi = multi
        self.poll = poll
        tollgate_curl_multi_set_long(
            multi, CURLMOPT_MAXCONNECTS, Limits.outgoingIdleConnections)
    }

    deinit {
        for handle in idleHandles { curl_easy_cleanup(handle) }
        curl_multi_cleanup(multi)
        close(poll)
    }

    /// Works until the mailbox is stopped; what is under way then fails.
    func run() {
        let context = Unmanaged.passUnretained(self).toOpaque()
        tollgate_curl_multi_set_watchers(multi, watchSocket, watchTimer, context)
        while true {
            waitForEvents()
            let (commands, isStopping) = mailbox.take()
            for command in commands { obey(command) }
            if isStopping { break }
            if let deadline = curlDeadline, deadline <= turn.now {
                // curl sets the next one from inside this call.
                curlDeadline = nil
                act(on: -1, 0)
            }
            collectFinished()
            sweep()
            announce()
        }
        for transfer in active.values {
            end(transfer, .failed(TransferFailure(.shutDown, "Shutting down")))
        }
    }

    private func waitForEvents() {
        turn.now = Self.monotonicMilliseconds()
        var wait = curlDeadline.map { max(0, $0 - turn.now) } ?? -1
        if !active.isEmpty {
            let untilSweep = max(0, nextSweep - turn.now)
            wait = wait < 0 ? untilSweep : min(wait, untilSweep)
        }
        let count = epoll_wait(
            poll, &events, Int32(events.count), Int32(clamping: wait))
        turn.now = Self.monotonicMilliseconds()
        guard count > 0 else { return }
        for event in events[..<Int(count)] where event.data.fd != mailbox.wakeDescriptor {
            var mask: Int32 = 0
            if event.events & tollgate_curl_epoll_in() != 0 { mask |= CURL_CSELECT_IN }
            if event.events & tollgate_curl_epoll_out() != 0 { mask |= CURL_CSELECT_OUT }
            if event.events & tollgate_curl_epoll_failed() != 0 { mask |= CURL_CSELECT_ERR }
            act(on: event.data.fd, mask)
        }
    }

    /// Lets curl work on one socket, or on its timer with -1.
    private func act(on socket: Int32, _ mask: Int32) {
        var running: Int32 = 0
        curl_multi_socket_action(multi, socket, mask, &running)
    }

    private func obey(_ command: TransferCommand) {
        switch command {
        case .begin(let transfer):
            begin(transfer)
        case .resume(let number):
            guard let transfer = active[number] else { return }
            transfer.resume()
        case .linger(let number):
            guard let transfer = active[number] else { return }
            transfer.linger()
        case .remove(let number):
            guard let transfer = active[number] else { return }
            end(transfer, .failed(TransferFailure(.interrupted, "Left by its caller")))
        }
    }

    private func begin(_ transfer: Transfer) {
        guard active.count < configuration.mostTransfers else {
            transfer.finish(.failed(TransferFailure(.tooMany, "Too many transfers at once")))
            return
        }
        guard let handle = idleHandles.popLast() ?? curl_easy_init() else {
            transfer.finish(.failed(TransferFailure(.tooMany, "No memory for a transfer")))
            return
        }
        let started = ActiveTransfer(transfer, handle: handle, turn: turn)
        guard started.configure(configuration),
            curl_multi_add_handle(multi, handle) == CURLM_OK
        else {
            recycle(handle)
            transfer.finish(
                .failed(TransferFailure(.invalidRequest, "The request cannot be sent")))
            return
        }
        if active.isEmpty { nextSweep = turn.now + Limits.outgoingTickMilliseconds }
        active[transfer.number] = started
    }

    private func collectFinished() {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let handle = message.pointee.easy_handle,
                let context = tollgate_curl_private(handle)
            else { continue }
            let code = message.pointee.data.result
            let transfer = Unmanaged<ActiveTransfer>.fromOpaque(context).takeUnretainedValue()
            if code == CURLE_OK {
                end(transfer, .complete)
            } else {
                end(transfer, .failed(transfer.verdict ?? .from(code, handle: handle)))
            }
        }
    }

    private func sweep() {
        guard turn.now >= nextSweep else { return }
        nextSweep = turn.now + Limits.outgoingTickMilliseconds
        for transfer in active.values {
            guard let failure = transfer.expired() else { continue }
            end(transfer, .failed(failure))
        }
    }

    private func announce() {
        for transfer in turn.withNews { transfer.announce() }
        turn.withNews.removeAll(keepingCapacity: true)
    }

    /// Lets go of a transfer; one that is not complete loses its connection.
    private func end(_ ended: ActiveTransfer, _ end: Transfer.End) {
        guard active.removeValue(forKey: ended.transfer.number) != nil else { return }
        curl_multi_remove_handle(multi, ended.handle)
        recycle(ended.handle)
        ended.transfer.finish(end)
    }

    private func recycle(_ handle: UnsafeMutableRawPointer) {
        guard idleHandles.count < Limits.outgoingIdleHandles else {
            curl_easy_cleanup(handle)
            return
        }
        curl_easy_reset(handle)
        idleHandles.append(handle)
    }

    // MARK: What curl asks for

    fileprivate func watch(_ socket: Int32, _ what: Int32, isKnown: Bool) {
        if what == CURL_POLL_REMOVE {
            tollgate_curl_epoll_remove(poll, socket)
            curl_multi_assign(multi, socket, nil)
            return
        }
        var wanted: UInt32 = 0
        if what == CURL_POLL_IN || what == CURL_POLL_INOUT { wanted |= tollgate_curl_epoll_in() }
        if what == CURL_POLL_OUT || what == CURL_POLL_INOUT { wanted |= tollgate_curl_epoll_out() }
        if isKnown {
            tollgate_curl_epoll_change(poll, socket, wanted)
        } else {
            tollgate_curl_epoll_add(poll, socket, wanted)
            // Any mark that is not nil says that the socket is in the poll set.
            curl_multi_assign(multi, socket, Unmanaged.passUnretained(self).toOpaque())
        }
    }

    fileprivate func setTimer(_ milliseconds: Int) {
        curlDeadline = milliseconds < 0 ? nil : turn.now + Int64(milliseconds)
    }

    private static func monotonicMilliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }
}

private func watchSocket(
    _ handle: UnsafeMutableRawPointer?, _ socket: Int32, _ what: Int32,
    _ context: UnsafeMutableRawPointer?, _ mark: UnsafeMutableRawPointer?
) -> Int32 {
    guard let context else { return -1 }
    Unmanaged<TransferLoop>.fromOpaque(context).takeUnretainedValue()
        .watch(socket, what, isKnown: mark != nil)
    return 0
}

private func watchTimer(
    _ multi: UnsafeMutableRawPointer?, _ milliseconds: Int, _ context: UnsafeMutableRawPointer?
) -> Int32 {
    guard let context else { return -1 }
    Unmanaged<TransferLoop>.fromOpaque(context).takeUnretainedValue().setTimer(milliseconds)
    return 0
}

extension TransferFailure {
    /// What a code of curl's means to our callers.
    fileprivate static func from(_ code: CURLcode, handle: UnsafeMutableRawPointer)
        -> TransferFailure
    {
        let text = String(cString: curl_easy_strerror(code))
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST, CURLE_COULDNT_RESOLVE_PROXY, CURLE_COULDNT_CONNECT,
            CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE,
            CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_ISSUER_ERROR:
            return TransferFailure(.unreachable, text)
        case CURLE_OPERATION_TIMEDOUT:
            return tollgate_curl_ready_after(handle) == 0
                ? TransferFailure(.unreachable, "No connection within the time allowed")
                : TransferFailure(.timedOut, "No whole answer within the time allowed")
        case CURLE_URL_MALFORMAT:
            return TransferFailure(.invalidRequest, text)
        // The address was checked, so an unsupported protocol is the answer's: HTTP/0.9, or none.
        case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY, CURLE_BAD_CONTENT_ENCODING,
            CURLE_WRITE_ERROR,
            CURLE_HTTP2, CURLE_HTTP2_STREAM:
            return TransferFailure(.malformed, text)
        default:
            // Lost while sending or receiving, or something curl has no better name for: the
            // request may have arrived.
            return TransferFailure(.interrupted, text)
        }
    }
}
