import Foundation
import TollgateKernel

/// Where a load writes down what its chats came to, a line each.
package actor RecordFile {
    private let file: FileHandle

    /// Makes the file; one that exists is emptied.
    /// - Throws: A ``Failure`` that names it if it cannot be written.
    package init(_ path: String) throws {
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let file = FileHandle(forWritingAtPath: path)
        else { throw Failure(.unavailable, "\(path) cannot be written.") }
        self.file = file
    }

    /// Writes a line; when it returns, the system has it, whatever becomes of this process.
    package func keep(_ record: ChatRecord) throws {
        try file.write(contentsOf: Data("\(record.line)\n".utf8))
    }
}
