import Glibc
import Synchronization

/// An open file, pipe or terminal.
///
/// Writing waits for a slow reader on the caller's thread: the command line has one person to serve
/// and nothing else to do meanwhile.
package final class FileDescriptorSink: TextSink {
    private let descriptor: Int32
    private let isOpen = Atomic(true)
    /// The error number of the write that failed; 0 before.
    private let failure = Atomic<CInt>(0)

    package let isTerminal: Bool

    /// Wraps a descriptor, which stays the caller's.
    package init(descriptor: Int32) {
        self.descriptor = descriptor
        isTerminal = isatty(descriptor) == 1
    }

    package var problem: String? {
        let number = failure.load(ordering: .relaxed)
        // Who closes a pipe has read enough: that is how tools are used together.
        return number == 0 || number == EPIPE ? nil : String(cString: strerror(number))
    }

    package var columns: Int? {
        guard isTerminal else { return nil }
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return nil }
        return Int(size.ws_col)
    }

    @discardableResult
    package func write(_ text: String) -> Bool {
        guard isOpen.load(ordering: .relaxed) else { return false }
        var copy = text
        let whole = copy.withUTF8 { bytes in writeAll(UnsafeRawBufferPointer(bytes)) }
        if !whole { isOpen.store(false, ordering: .relaxed) }
        return whole
    }

    /// Writes every byte; false once the reader has gone (EPIPE) or the device failed.
    private func writeAll(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let chunk = UnsafeRawBufferPointer(rebasing: rest)
            let count = Glibc.write(descriptor, chunk.baseAddress, chunk.count)
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                waitUntilWritable()
            } else if errno != EINTR {
                failure.store(errno, ordering: .relaxed)
                return false
            }
        }
        return true
    }

    /// A terminal shared with a program that made it non-blocking answers EAGAIN.
    private func waitUntilWritable() {
        var interest = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        _ = poll(&interest, 1, 1_000)
    }
}
