import Foundation
import Glibc
import Synchronization

/// The process's SIGINT, delivered as ``Interrupts``.
package enum ProcessSignals {
    /// The one source, which lives as long as the process.
    private static let source = Mutex<(any DispatchSourceSignal)?>(nil)

    /// Takes SIGINT over from now on and ignores SIGPIPE, which a closed pipe or socket reports as
    /// an error of the write itself.
    ///
    /// A Ctrl-C that nobody listens to, because the program is stopping already and does not get
    /// there, ends the process with 130 at once.
    package static func deliver(to interrupts: Interrupts) {
        signal(SIGPIPE, SIG_IGN)
        signal(SIGINT, SIG_IGN)
        source.withLock { source in
            source?.cancel()
            let fresh = DispatchSource.makeSignalSource(
                signal: SIGINT, queue: DispatchQueue(label: "tollgate.signals"))
            fresh.setEventHandler {
                if !interrupts.deliver() { _exit(ExitStatus.interrupted.rawValue) }
            }
            fresh.activate()
            source = fresh
        }
    }
}
