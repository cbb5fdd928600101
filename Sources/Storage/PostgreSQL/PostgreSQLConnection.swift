internal import CPostgres
internal import Glibc
internal import TollgateKernel

/// One PostgreSQL connection as the repositories use it: statements prepared once, parameters and
/// answers in binary form.
///
/// Used by one thread at a time, which may block; whoever owns it guarantees that it is neither an
/// event loop's nor one of the cooperative pool's.
final class PostgreSQLConnection {
    /// What went wrong in the present transaction, as far as it decides about running it again.
    enum Trouble: Hashable {
        /// Another transaction was in the way (40001, 40P01): run it again.
        case serialization
        /// A key was taken, perhaps by a transaction that this one could not see yet: which
        /// constraint, and the key's values as the server tells them.
        case takenKey(String)
        /// A read asked for a table or a column that is not there: a replica has not come to the
        /// change of the schema that made it.
        case missingSchema
        /// The connection is gone, or cannot be trusted any more.
        case lost
    }

    private let handle: OpaquePointer
    private let warnings: Warnings
    private var prepared: Set<Int> = []
    private var waitMilliseconds: Int64
    private let isForWriting: Bool
    /// The read that runs, which may be a long one.
    private var read: LongRead?
    /// Whether that read takes the time of a long one now.
    private var isAtLength = false
    /// Why that read was ended.
    private var endOfRead: LongReadEnd?
    /// The first trouble since ``forgetTrouble()``.
    private(set) var trouble: Trouble?

    /// Connects, or says why not; never names the password.
    init(
        _ target: PostgreSQLTarget, waitMilliseconds: Int64, isForWriting: Bool = false
    ) throws(StoreError) {
        guard let handle = target.connect() else { throw .engine("out of memory") }
        guard PQstatus(handle) == CONNECTION_OK else {
            let text = Self.text(PQerrorMessage(handle))
            PQfinish(handle)
            throw .engine("cannot connect to \(target): \(text)")
        }
        self.handle = handle
        self.waitMilliseconds = waitMilliseconds
        self.isForWriting = isForWriting
        warnings = Warnings()
        // Without a receiver libpq writes to standard error.
        PQsetNoticeReceiver(
            handle,
            { context, _ in
                guard let context else { return }
                Unmanaged<Warnings>.fromOpaque(context).takeUnretainedValue().count += 1
            }, Unmanaged.passUnretained(warnings).toOpaque())
    }

    deinit { PQfinish(handle) }

    /// Counts what the server warned of.
    private final class Warnings { var count = 0 }

    /// Whether statements can be sent.
    var isUsable: Bool { trouble != .lost && PQstatus(handle) == CONNECTION_OK }

    /// Whether no transaction is open.
    var isOutsideTransaction: Bool { PQtransactionStatus(handle) == PQTRANS_IDLE }

    /// Whether a statement failed, so that the transaction can only be undone.
    var isFailedTransaction: Bool { PQtransactionStatus(handle) == PQTRANS_INERROR }

    /// The number of the server's process.
    var serverProcess: Int32 { PQbackendPID(handle) }

    /// Begins counting anew.
    func forgetTrouble() {
        if trouble != .lost { trouble = nil }
    }

    /// Runs a statement without an answer; how many rows it changed.
    @discardableResult
    func run<each Parameter: Bindable>(
        _ sql: SQL, _ parameters: repeat each Parameter
    ) throws(StoreError) -> Int {
        let answer = try send(sql, repeat each parameters)
        defer { PQclear(answer) }
        return Int(Self.text(PQcmdTuples(answer))) ?? 0
    }

    /// The first row of the answer.
    func first<Value, each Parameter: Bindable>(
        _ sql: SQL, _ parameters: repeat each Parameter,
        decode: (Row) throws(StoreError) -> Value
    ) throws(StoreError) -> Value? {
        let answer = try send(sql, repeat each parameters)
        defer { PQclear(answer) }
        return PQntuples(answer) == 0 ? nil : try decode(Row(answer: answer, row: 0))
    }

    /// Every row of the answer.
    func all<Value, each Parameter: Bindable>(
        _ sql: SQL, _ parameters: repeat each Parameter,
        decode: (Row) throws(StoreError) -> Value
    ) throws(StoreError) -> [Value] {
        let answer = try send(sql, repeat each parameters)
        defer { PQclear(answer) }
        let count = PQntuples(answer)
        var values: [Value] = []
        values.reserveCapacity(Int(count))
        for row in 0..<count { values.append(try decode(Row(answer: answer, row: row))) }
        return values
    }

    /// Gives each row of the answer to a closure as it arrives, however many there are.
    func forEach(_ sql: SQL, _ body: (Row) -> Void) throws(StoreError) {
        try forEachRow(of: sql.text, body)
    }

    /// The same for a text that is used once.
    func forEachRow(of text: String, _ body: (Row) -> Void) throws(StoreError) {
        let sent = PQsendQueryParams(handle, text, 0, nil, nil, nil, nil, 1)
        guard sent == 1, PQsetSingleRowMode(handle) == 1 else { throw lost() }
        while let answer = try next() {
            defer { PQclear(answer) }
            switch PQresultStatus(answer) {
            case PGRES_SINGLE_TUPLE:
                try PostgreSQLAnswer.check(answer)
                body(Row(answer: answer, row: 0))
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK: continue
            default: throw try failed(answer)
            }
        }
    }

    /// Runs a text of one or more statements that is used once; what the last one is called.
    ///
    /// `sent` is called once the text has gone out, before its answer is read.
    @discardableResult
    func execute(_ text: String, sent: () -> Void = {}) throws(StoreError) -> String {
        guard PQsendQuery(handle, text) == 1 else { throw lost() }
        sent()
        var name = ""
        while let answer = try next() {
            defer { PQclear(answer) }
            switch PQresultStatus(answer) {
            case PGRES_TUPLES_OK, PGRES_COMMAND_OK: name = Self.text(PQcmdStatus(answer))
            default: throw try failed(answer)
            }
        }
        return name
    }

    /// Runs a read that its caller may leave.
    ///
    /// - Throws: what the read throws; why it was ended, if it was, whatever it made of that.
    func watched<Value>(by read: LongRead, _ body: () throws -> Value) throws -> Value {
        self.read = read
        endOfRead = nil
        defer { self.read = nil }
        let result = Result { try body() }
        if let endOfRead { throw endOfRead.failure }
        return try result.get()
    }

    /// Lets the statements that `body` sends take what is left of a long read's time together,
    /// instead of a usual statement's each; the server's own limit ends with the transaction.
    func atLength<Value>(_ body: () throws(StoreError) -> Value) throws(StoreError) -> Value {
        // A read that is tried again on another session, because the one before was given up.
        if let end = read?.end {
            endOfRead = endOfRead ?? end
            throw .engine("the read is over")
        }
        let left = read?.leftMilliseconds ?? Limits.auditMilliseconds
        // Later than we cancel by ourselves, who know why: for a client that died meanwhile.
        let limit = left + Limits.storeAnswerMarginMilliseconds
        try execute("SET LOCAL statement_timeout = \(limit)")
        let before = waitMilliseconds
        waitMilliseconds = limit + Limits.storeAnswerMarginMilliseconds
        isAtLength = true
        defer {
            waitMilliseconds = before
            isAtLength = false
        }
        return try body()
    }

    /// What asks the server to give up the statement that runs here; nil if nothing can.
    var cancelRequest: PostgreSQLCancelRequest? { PostgreSQLCancelRequest(of: handle) }

    /// Whether the read is to end; then the server was asked to give the running statement up.
    ///
    /// Whatever the server makes of it, the answer is not waited for much longer. A request that is
    /// still on its way might meet a later statement, so the session is given up then.
    private func hasToEnd() throws(StoreError) -> Bool {
        guard isAtLength, let end = read?.end else { return false }
        endOfRead = endOfRead ?? end
        guard let request = cancelRequest,
            request.send(waitMilliseconds: Limits.storeAnswerMarginMilliseconds)
        else { throw lost("the server does not take a request to stop") }
        return true
    }

    /// What became of a COMMIT.
    enum CommitEnd {
        case committed
        /// The server undid the transaction.
        case undone(StoreError)
        /// Nobody knows yet.
        case inDoubt(StoreError)
    }

    /// Commits.
    ///
    /// A warning here means that the server gave up waiting for its standby: it has committed, but
    /// a failover may forget it, so that is no success yet.
    func commit(sent: () -> Void = {}) -> CommitEnd {
        let warningsBefore = warnings.count
        do throws(StoreError) {
            let name = try execute("COMMIT", sent: sent)
            guard warnings.count == warningsBefore else {
                trouble = .lost
                return .inDoubt(.engine("the standby did not answer"))
            }
            guard name == "COMMIT" else {
                return .undone(.engine("the transaction had failed before its end"))
            }
            return .committed
        } catch {
            return trouble == .lost || !isUsable ? .inDoubt(error) : .undone(error)
        }
    }

    private func send<each Parameter: Bindable>(
        _ sql: SQL, _ parameters: repeat each Parameter
    ) throws(StoreError) -> OpaquePointer {
        var values = PostgreSQLParameters()
        repeat (each parameters).append(to: &values)
        if !prepared.contains(sql.number) { try prepare(sql, values) }
        let sent = values.withValues { addresses, lengths, formats in
            PQsendQueryPrepared(
                handle, Self.name(sql), values.count, addresses, lengths, formats, 1)
        }
        guard sent == 1 else { throw lost() }
        let answer = try only()
        do throws(StoreError) {
            try PostgreSQLAnswer.check(answer)
        } catch {
            PQclear(answer)
            throw error
        }
        return answer
    }

    private func prepare(
        _ sql: SQL, _ parameters: PostgreSQLParameters
    ) throws(StoreError) {
        let sent = parameters.withTypes { types in
            PQsendPrepare(handle, Self.name(sql), sql.text, parameters.count, types)
        }
        guard sent == 1 else { throw lost() }
        PQclear(try only())
        prepared.insert(sql.number)
    }

    private static func name(_ sql: SQL) -> String { "s\(sql.number)" }

    /// The answer to a single statement.
    private func only() throws(StoreError) -> OpaquePointer {
        guard let answer = try next() else { throw lost() }
        switch PQresultStatus(answer) {
        case PGRES_TUPLES_OK, PGRES_COMMAND_OK: break
        default:
            defer { PQclear(answer) }
            throw try failed(answer)
        }
        do throws(StoreError) {
            while let more = try next() { PQclear(more) }
        } catch {
            PQclear(answer)
            throw error
        }
        return answer
    }

    /// The next answer, or nothing if there is none left; waits for as long as the store bears.
    private func next() throws(StoreError) -> OpaquePointer? {
        var waited: Int64 = 0
        var limit = waitMilliseconds
        var isEnding = false
        while PQisBusy(handle) == 1 {
            if !isEnding, try hasToEnd() {
                isEnding = true
                limit = min(limit, waited + Limits.storeAnswerMarginMilliseconds)
            }
            let turn = isAtLength ? Limits.auditLookMilliseconds : limit
            var descriptor = pollfd(fd: PQsocket(handle), events: Int16(POLLIN), revents: 0)
            let began = Self.milliseconds()
            let ready = poll(&descriptor, 1, Int32(clamping: min(turn, limit - waited)))
            waited += Self.milliseconds() - began
            if waited >= limit || ready == 0 && !isAtLength { throw lost("no answer in time") }
            if ready < 0, errno != EINTR { throw lost() }
            if ready > 0, PQconsumeInput(handle) == 0 { throw lost() }
        }
        return PQgetResult(handle)
    }

    private static func milliseconds() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }

    private func lost(_ reason: String? = nil) -> StoreError {
        trouble = .lost
        return .engine(
            "connection to PostgreSQL: \(reason ?? Self.text(PQerrorMessage(handle)))")
    }

    /// What an answer that is a failure means; takes the rest of the answers.
    private func failed(_ answer: OpaquePointer) throws(StoreError) -> StoreError {
        let state = Self.text(PQresultErrorField(answer, 67))  // 'C': the five characters.
        let said = Self.text(PQresultErrorField(answer, 77))  // 'M': the sentence.
        let constraint = Self.text(PQresultErrorField(answer, 110))  // 'n'
        let text = constraint.isEmpty ? said : "\(said) (\(constraint))"
        let detail = Self.text(PQresultErrorField(answer, 68))  // 'D': the values of a taken key.
        while let more = try next() { PQclear(more) }
        return meaning(state, text, key: "\(constraint) \(detail)")
    }

    private func meaning(_ state: String, _ text: String, key: String) -> StoreError {
        switch state {
        // Also who waited for a lock longer than it may: the winner is slow, not the write wrong.
        case "40001", "40P01", "55P03":
            note(.serialization)
            return .engine("\(text) (\(state))")
        case "23505":
            note(.takenKey(key))
            return .constraint(text)
        case "42P01", "42703":
            if !isForWriting { note(.missingSchema) }
            return .engine("\(text) (\(state))")
        case "XX001", "XX002": return .corrupt(text)
        // The server was made a replica: the primary is another one now.
        case "25006" where isForWriting:
            note(.lost)
            return .engine("\(text) (\(state))")
        // An administrator ended the session, the server goes down, or the schema changed below
        // the prepared statements.
        case "57P01", "57P02", "57P03", "0A000", "26000", "":
            note(.lost)
            return .engine("\(text) (\(state))")
        default:
            if PQstatus(handle) != CONNECTION_OK { note(.lost) }
            // 23: the schema's constraints; 22: values that a column cannot hold.
            if state.hasPrefix("23") || state.hasPrefix("22") { return .constraint(text) }
            return .engine("\(text) (\(state))")
        }
    }

    private func note(_ new: Trouble) {
        if trouble == nil || new == .lost { trouble = new }
    }

    private static func text(_ pointer: UnsafePointer<CChar>?) -> String {
        guard let pointer else { return "" }
        let text = String(cString: pointer)
        return text.hasSuffix("\n") ? String(text.dropLast()) : text
    }

    private static func text(_ pointer: UnsafeMutablePointer<CChar>?) -> String {
        text(UnsafePointer(pointer))
    }
}
