internal import CProtocPlugin

/// The comments that stand before the declarations of a file.
struct Comments {
    private var linesByPath: [[Int32]: [String]] = [:]

    /// Collects them; a path is a list of field numbers and places in descriptor.proto's messages.
    init(_ source: UnsafeMutablePointer<Google__Protobuf__SourceCodeInfo>?) {
        guard let source else { return }
        let locations = RequestReading.list(source.pointee.location, source.pointee.n_location)
        for location in locations {
            guard let comment = location.pointee.leading_comments else { continue }
            let path = UnsafeBufferPointer(
                start: location.pointee.path, count: location.pointee.n_path)
            linesByPath[Array(path)] = Self.lines(of: String(cString: comment))
        }
    }

    /// The comment's lines at a path; empty without a comment.
    func lines(at path: [Int32]) -> [String] { linesByPath[path] ?? [] }

    private static func lines(of comment: String) -> [String] {
        var lines = comment.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            var text = line.first == " " ? line.dropFirst() : line
            while text.last == " " { text.removeLast() }
            return String(text)
        }
        while lines.last == "" { lines.removeLast() }
        while lines.first == "" { lines.removeFirst() }
        return lines
    }
}
