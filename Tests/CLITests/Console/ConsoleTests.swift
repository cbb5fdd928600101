import CLI
import Foundation
import Synchronization
import Testing

@Suite("The console")
struct ConsoleTests {
    private func style(_ variables: [String: String], isTerminal: Bool = true) -> Style {
        let sink = CapturedText(isTerminal: isTerminal)
        return Console(output: sink, errors: sink, variables: variables).outputStyle
    }

    @Test func coloursAppearOnTerminalsThatWantThem() {
        #expect(style([:]).isColoured)
        #expect(!style([:], isTerminal: false).isColoured)
        #expect(!style(["NO_COLOR": "1"]).isColoured)
        #expect(style(["NO_COLOR": ""]).isColoured)
        #expect(!style(["TERM": "dumb"]).isColoured)
    }

    @Test func progressIsForTerminalsAlone() {
        let terminal = CapturedText(isTerminal: true)
        let file = CapturedText()
        for sink in [terminal, file] {
            let console = Console(output: sink, errors: sink, variables: [:])
            console.progress("half")
            console.endProgress()
            console.prompt("> ")
        }
        #expect(terminal.text == "\r\u{1B}[2Khalf\r\u{1B}[2K> ")
        #expect(file.text.isEmpty)
    }

    @Test func aReaderWhoLeavesIsNoticedOnce() throws {
        signal(SIGPIPE, SIG_IGN)
        let pipe = Pipe()
        let sink = FileDescriptorSink(descriptor: pipe.fileHandleForWriting.fileDescriptor)
        #expect(!sink.isTerminal)
        #expect(sink.columns == nil)
        #expect(sink.write("first\n"))
        let read = try #require(try pipe.fileHandleForReading.read(upToCount: 6))
        #expect(String(decoding: read, as: UTF8.self) == "first\n")
        try pipe.fileHandleForReading.close()
        #expect(!sink.write("second\n"))
        #expect(!sink.write("third\n"))
        #expect(sink.problem == nil, "who closes a pipe has read enough")
    }

    @Test func aFullDeviceIsSaidAndEndsWithOne() async throws {
        let device = try #require(FileHandle(forWritingAtPath: "/dev/full"))
        let errors = CapturedText()
        let sink = FileDescriptorSink(descriptor: device.fileDescriptor)
        var environment = CommandEnvironment.process()
        environment.console = Console(output: sink, errors: errors, variables: [:])
        let status = await CommandRunner.run(TestRoot.self, ["--help"], in: environment)
        #expect(status == 1)
        #expect(
            errors.text == "error: Standard output cannot be written: No space left on device.\n")
    }

    @Test func aSlowReaderGetsEveryByte() async throws {
        let pipe = Pipe()
        let reader = pipe.fileHandleForReading
        // More than the 64 KiB that a pipe holds, so that the writer has to wait.
        let text = String(repeating: "0123456789abcdef", count: 20_000)
        let writer = pipe.fileHandleForWriting
        let collected = Mutex(Data())
        // Reading blocks, so that it gets a thread of its own.
        await withCheckedContinuation { continuation in
            let thread = Thread {
                let data = (try? reader.readToEnd()) ?? Data()
                collected.withLock { $0 = data }
                continuation.resume()
            }
            thread.start()
            let isWhole = FileDescriptorSink(descriptor: writer.fileDescriptor).write(text)
            #expect(isWhole)
            try? writer.close()
        }
        #expect(collected.withLock { $0 } == Data(text.utf8))
    }
}
