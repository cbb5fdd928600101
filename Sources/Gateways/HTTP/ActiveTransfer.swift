internal import CCurl
internal import TollgateKernel

/// The present turn of the transfer thread's loop, shared with its transfers.
final class TransferTurn {
    /// The thread's clock, in milliseconds.
    var now: Int64 = 0
    /// The transfers whose readers are to be told something.
    var withNews: [ActiveTransfer] = []
}

/// What the transfer thread knows of one transfer; lives on that thread alone.
final class ActiveTransfer {
    let transfer: Transfer
    let handle: UnsafeMutableRawPointer
    private var fields: UnsafeMutablePointer<curl_slist>?

    private let firstByteDeadline: Int64
    private var lastArrival: Int64
    private var hasArrived = false
    private(set) var isPaused = false
    private var lingerDeadline: Int64?

    private var head: ResponseHead?
    private var headBytes = 0
    private var isHeadComplete = false
    /// Set when one of our own rules ended the transfer; says more than curl's code does.
    private(set) var verdict: TransferFailure?
    /// Whether something arrived that the reader was not told of yet.
    private var hasNews = false
    private let turn: TransferTurn

    init(_ transfer: Transfer, handle: UnsafeMutableRawPointer, turn: TransferTurn) {
        self.transfer = transfer
        self.handle = handle
        self.turn = turn
        lastArrival = turn.now
        firstByteDeadline = turn.now + transfer.request.timeouts.firstByteMilliseconds
    }

    deinit { curl_slist_free_all(fields) }

    // MARK: Deadlines

    /// The time-out that has run out, if one has.
    func expired() -> TransferFailure? {
        let now = turn.now
        if let lingerDeadline {
            return now < lingerDeadline
                ? nil : TransferFailure(.timedOut, "The unwanted rest did not arrive")
        }
        if !hasArrived {
            return now < firstByteDeadline
                ? nil : TransferFailure(.timedOut, "No byte of an answer within the time allowed")
        }
        let idle = transfer.request.timeouts.idleMilliseconds
        return isPaused || now - lastArrival < idle
            ? nil : TransferFailure(.timedOut, "The answer stalled")
    }

    /// The reader has room again.
    func resume() {
        guard isPaused else { return }
        isPaused = false
        lastArrival = turn.now
        curl_easy_pause(handle, CURLPAUSE_CONT)
    }

    /// Nobody wants the rest.
    func linger() {
        transfer.discard()
        lingerDeadline = turn.now + Limits.outgoingLingerMilliseconds
        resume()
    }

    // MARK: Arrivals, called by curl

    /// Takes one header line; false ends the transfer.
    func receiveHeader(_ line: UnsafeRawBufferPointer) -> Bool {
        arrived()
        // Lines after the body are trailers, which mean nothing to us.
        guard !isHeadComplete else { return true }
        headBytes += line.count
        guard headBytes <= Limits.outgoingResponseHeadBytes else {
            verdict = TransferFailure(.tooLarge, "The answer's head is too large")
            return false
        }
        let text = HeaderLine(line)
        if let status = text.status {
            // An interim answer (1xx) is followed by another status line, which starts anew.
            head = ResponseHead(status: status)
        } else if let field = text.field {
            head?.add(field.name, field.value)
        } else if text.isBlank, let head, head.status >= 200 {
            isHeadComplete = true
            transfer.receive(head)
            noteNews()
        }
        return true
    }

    /// Takes a piece of the body; the answer is what curl's callback returns.
    func receiveBody(_ bytes: UnsafeRawBufferPointer) -> Int {
        arrived()
        switch transfer.receive(bytes) {
        case .taken:
            noteNews()
            return bytes.count
        case .pause:
            isPaused = true
            noteNews()
            return Int(CURL_WRITEFUNC_PAUSE)
        case .tooLarge:
            verdict = TransferFailure(.tooLarge, "The answer is too large")
            return 0
        }
    }

    private func arrived() {
        hasArrived = true
        lastArrival = turn.now
    }

    /// Wakes the reader at the end of the turn, once for all that came.
    private func noteNews() {
        guard !hasNews else { return }
        hasNews = true
        turn.withNews.append(self)
    }

    /// Tells the reader what has arrived.
    func announce() {
        hasNews = false
        transfer.announce()
    }

    // MARK: Setting up

    /// Tells curl what to do.
    func configure(_ configuration: HTTPTransfers.Configuration) -> Bool {
        let request = transfer.request
        guard let list = makeFields(request) else { return false }
        fields = list
        let context = Unmanaged.passUnretained(self).toOpaque()
        let timeouts = request.timeouts
        var codes: [CURLcode] = [
            tollgate_curl_set_text(handle, CURLOPT_URL, request.url),
            // What was signed must be what is sent.
            tollgate_curl_set_long(handle, CURLOPT_PATH_AS_IS, 1),
            tollgate_curl_set_list(handle, CURLOPT_HTTPHEADER, list),
            tollgate_curl_set_pointer(handle, CURLOPT_PRIVATE, context),
            tollgate_curl_set_receivers(handle, receiveHeaderLine, receiveBodyPiece, context),
            tollgate_curl_set_text(handle, CURLOPT_USERAGENT, configuration.userAgent),
            tollgate_curl_set_text(handle, CURLOPT_PROTOCOLS_STR, "http,https"),
            tollgate_curl_set_long(handle, CURLOPT_FOLLOWLOCATION, 0),
            // An empty name means no proxy, whatever the environment says.
            tollgate_curl_set_text(handle, CURLOPT_PROXY, ""),
            tollgate_curl_set_long(handle, CURLOPT_NOSIGNAL, 1),
            // Leaving a transfer must not wait for its name look-up: the thread serves the others.
            tollgate_curl_set_long(handle, CURLOPT_QUICK_EXIT, 1),
            // One transfer a connection: leaving a stream closes it, and pausing one holds back
            // its own bytes alone, as it would not with the shared windows of HTTP/2.
            tollgate_curl_set_long(handle, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1)),
            tollgate_curl_set_long(handle, CURLOPT_SSL_VERIFYPEER, 1),
            tollgate_curl_set_long(handle, CURLOPT_SSL_VERIFYHOST, 2),
            tollgate_curl_set_long(handle, CURLOPT_SSLVERSION, Int(CURL_SSLVERSION_TLSv1_2)),
            tollgate_curl_set_long(
                handle, CURLOPT_CONNECTTIMEOUT_MS, Int(timeouts.connectMilliseconds)),
            tollgate_curl_set_long(handle, CURLOPT_TIMEOUT_MS, Int(timeouts.totalMilliseconds)),
        ]
        if let file = configuration.certificateAuthorityFile {
            codes.append(tollgate_curl_set_text(handle, CURLOPT_CAINFO, file))
        }
        if request.acceptsCompression {
            codes.append(tollgate_curl_set_text(handle, CURLOPT_ACCEPT_ENCODING, "gzip, deflate"))
        }
        if request.method == .post {
            codes.append(tollgate_curl_set_long(handle, CURLOPT_POST, 1))
            codes.append(
                request.body.withUnsafeBytes {
                    tollgate_curl_set_body(handle, $0.baseAddress, $0.count)
                })
        }
        return codes.allSatisfy { $0 == CURLE_OK }
    }

    private func makeFields(_ request: OutgoingRequest) -> UnsafeMutablePointer<curl_slist>? {
        // curl waits for "100 Continue" before larger bodies unless told not to.
        var list = curl_slist_append(nil, "Expect:")
        for (name, value) in request.headers {
            // A field without a value is written with a semicolon in curl's lists.
            list = curl_slist_append(list, value.isEmpty ? "\(name);" : "\(name): \(value)")
        }
        return list
    }
}

private func receiveHeaderLine(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let context else { return 0 }
    let active = Unmanaged<ActiveTransfer>.fromOpaque(context).takeUnretainedValue()
    let line = UnsafeRawBufferPointer(start: bytes, count: size * count)
    return active.receiveHeader(line) ? line.count : 0
}

private func receiveBodyPiece(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let context else { return 0 }
    let active = Unmanaged<ActiveTransfer>.fromOpaque(context).takeUnretainedValue()
    return active.receiveBody(UnsafeRawBufferPointer(start: bytes, count: size * count))
}
