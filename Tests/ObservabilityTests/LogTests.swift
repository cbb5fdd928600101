import Logging
import Observability
import Synchronization
import Testing
import TollgateKernel

/// Keeps the lines it is given.
private final class CollectingSink: LogSink {
    private let collected = Mutex<[String]>([])

    var lines: [String] { collected.withLock { $0 } }

    func write(_ line: String) { collected.withLock { $0.append(line) } }
}

private struct StillClock: WallClock {
    func now() -> Timestamp { Timestamp(milliseconds: 1_769_846_400_250) }
}

/// Log entries as lines.
@Suite struct LogTests {
    private let sink = CollectingSink()

    private func logger(_ format: LogFormat, _ level: Logger.Level = .info) -> Logger {
        Logger(label: "tollgate.rpc") { label in
            LineLogHandler(
                label: label, level: level, format: format, sink: sink, clock: StillClock())
        }
    }

    @Test func `an entry is one line for people`() {
        var logger = logger(.text)
        logger[metadataKey: "peer"] = "127.0.0.1:9"
        logger.notice("call done", metadata: ["code": "ok", "took": "1 ms", "empty": ""])
        #expect(
            sink.lines == [
                "2026-01-31T08:00:00.250Z NOTICE tollgate.rpc call done "
                    + #"code=ok empty="" peer=127.0.0.1:9 took="1 ms""#
            ])
    }

    @Test func `an entry is one object for collectors`() {
        logger(.json).error("no \"way\"", metadata: ["n": "1", "path": "a\\b"])
        #expect(
            sink.lines == [
                #"{"time":"2026-01-31T08:00:00.250Z","level":"error","label":"tollgate.rpc","#
                    + #""message":"no \"way\"","fields":{"n":"1","path":"a\\b"}}"#
            ])
    }

    @Test(arguments: LogFormat.allCases)
    func `text from outside cannot forge a line`(format: LogFormat) {
        let evil = "x\n2026 INFO forged\r\u{1b}[31m\u{0}\u{2028}"
        logger(format).info("\(evil)", metadata: ["k": "\(evil)", "\(evil)": "v"])
        #expect(sink.lines.count == 1)
        let line = sink.lines[0]
        #expect(line.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x2028 })
        #expect(line.contains(#"x\n2026 INFO forged\r\u001b[31m\u0000\u2028"#))
    }

    @Test func `entries below the level are not written`() {
        var logger = logger(.text, .warning)
        logger.info("quiet")
        logger.warning("loud")
        logger.logLevel = .debug
        logger.debug("quiet no more")
        #expect(sink.lines.count == 2)
    }

    @Test func `an entry's own fields win over the logger's`() {
        var logger = logger(.text)
        logger[metadataKey: "a"] = "old"
        logger.info("m", metadata: ["a": "new"])
        #expect(sink.lines[0].hasSuffix(" m a=new"))
    }

    @Test(arguments: LogFormat.allCases)
    func `every line fits one write into a pipe`(format: LogFormat) {
        let long = String(repeating: "字", count: 5_000)
        var fields: Logger.Metadata = [:]
        for index in 0..<50 { fields["key\(index)"] = "\(long)" }
        logger(format).info("\(long)", metadata: fields)
        let line = sink.lines[0]
        #expect(line.utf8.count <= Limits.logLineBytes)
        #expect(line.utf8.count > Limits.logLineBytes / 2)
        #expect(!line.contains("\u{fffd}"))
        if format == .json { #expect(line.hasSuffix("\"}}")) }
    }

    @Test func `a value is cut, its beginning stays`() {
        logger(.text).info("m", metadata: ["k": "\(String(repeating: "v", count: 1_000))"])
        let value = sink.lines[0].split(separator: "=").last ?? ""
        #expect(value.utf8.count == Limits.logValueBytes)
        #expect(value.hasPrefix("vvv") && value.hasSuffix("…"))
    }
}
