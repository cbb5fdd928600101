import Foundation
import Testing

/// One thing found wrong, printed as editors like it: `path:line: sentence`.
struct Finding: Hashable, Sendable, CustomStringConvertible {
    var path: String
    var line: Int
    var sentence: String

    var description: String { "\(path):\(line): \(sentence)" }
}

/// A text file of the project.
struct TextFile: Sendable {
    /// Relative to the project's top folder.
    var path: String
    var text: String

    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }

    /// Whether a program wrote it: its generator answers for its style.
    var isGenerated: Bool {
        path.contains("/Generated/") || path.hasPrefix("Sources/CProto/")
            || path.hasPrefix("Sources/CProtocPlugin/")
            || path.hasPrefix("Sources/Web/Public/")
            || path.hasPrefix("Tests/CProtoSamples/")
    }

    func finding(_ line: Int, _ sentence: String) -> Finding {
        Finding(path: path, line: line, sentence: sentence)
    }
}

/// A Swift file and its tokens.
struct SwiftFile: Sendable {
    var file: TextFile
    var source: LexedSource

    var path: String { file.path }
    var tokens: [Token] { source.tokens }
    var isTest: Bool { path.hasPrefix("Tests/") }

    /// Reads a planted text as if it stood at a path.
    init(_ path: String, _ text: String) {
        self.init(TextFile(path: path, text: text))
    }

    init(_ file: TextFile) {
        self.file = file
        source = LexedSource(file.text)
    }

    func finding(_ line: Int, _ sentence: String) -> Finding { file.finding(line, sentence) }
}

/// Everything that stands in the project, read once for all rules.
struct SourceTree: Sendable {
    /// The tree these tests stand in.
    static let project = SourceTree(top: projectTop)

    static let projectTop: String = {
        let parts = #filePath.split(separator: "/").dropLast(3)
        return "/" + parts.joined(separator: "/")
    }()

    let top: String
    /// Every text file, sorted by path.
    let files: [TextFile]
    /// The Swift files that people wrote, with their tokens.
    let swift: [SwiftFile]
    /// Every path below the top, folders too.
    let paths: Set<String>

    init(top: String) {
        self.top = top
        var files: [TextFile] = []
        var paths: Set<String> = []
        let walker = FileManager.default.enumerator(atPath: top)
        while let path = walker?.nextObject() as? String {
            let name = path.split(separator: "/").last ?? ""
            if name == ".git" || name == "node_modules" || name == ".venv"
                || name.hasPrefix(".build")
            {
                walker?.skipDescendants()
                continue
            }
            paths.insert(path)
            guard Self.isText(name),
                let data = FileManager.default.contents(atPath: "\(top)/\(path)")
            else { continue }
            files.append(TextFile(path: path, text: String(decoding: data, as: UTF8.self)))
        }
        self.files = files.sorted { $0.path < $1.path }
        self.paths = paths
        swift = self.files
            .filter { $0.path.hasSuffix(".swift") && !$0.isGenerated }
            .map { SwiftFile($0) }
    }

    /// The hand-written Swift files below a folder, given with its slash.
    func swift(below folder: String) -> [SwiftFile] {
        swift.filter { $0.path.hasPrefix(folder) }
    }

    func file(_ path: String) -> TextFile? { files.first { $0.path == path } }

    private static let textEndings: Set<String> = [
        "swift", "c", "h", "proto", "md", "yml", "yaml", "json", "sh", "py", "sql", "modulemap",
        "ts", "tsx", "css", "html", "toml", "txt", "service", "conf", "options",
    ]

    private static func isText(_ name: Substring) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        // Scripts, Makefile and LICENSE have no ending; .gitignore is nothing but one.
        guard parts.count > 1, let ending = parts.last, parts.first != "" else {
            return !name.hasPrefix(".") || name == ".gitignore" || name == ".swift-format"
        }
        return textEndings.contains(String(ending))
    }
}

/// Fails the running test with a list of what was found.
func expectNone(
    _ findings: [Finding], sourceLocation: SourceLocation = #_sourceLocation
) {
    let shown = findings.prefix(60).map(\.description).joined(separator: "\n")
    let rest = findings.count > 60 ? "\n… and \(findings.count - 60) more" : ""
    #expect(findings.isEmpty, "\n\(shown)\(rest)", sourceLocation: sourceLocation)
}
