/// What Package.swift promises: every target has tests, every language feature is on.
enum ManifestRules {
    /// Swift 7's features; LanguageFeatures.swift asks the compiler for each, since a misspelt
    /// name is silently ignored.
    static let features: [String] = [
        "ExistentialAny", "ImmutableWeakCaptures", "InferIsolatedConformances",
        "InternalImportsByDefault", "MemberImportVisibility", "NonisolatedNonsendingByDefault",
    ]

    /// Source folders whose tests are not named after them.
    private static let testNames: [String: String] = ["Storage": "StorageContractTests"]

    /// A Swift target of the manifest.
    struct Target: Hashable, Sendable {
        var folder: String
        var line: Int
        var hasSettings: Bool
    }

    static func features(manifest: TextFile, guards: TextFile) -> [Finding] {
        let source = LexedSource(guards.text)
        let asked = Set(
            source.tokens.indices.filter { source.text($0) == "hasFeature" }
                .map { source.text($0 + 2) })
        var findings: [Finding] = []
        for feature in features {
            if !manifest.text.contains(".enableUpcomingFeature(\"\(feature)\")") {
                findings.append(manifest.finding(1, "\(feature) is not enabled"))
            }
            if !asked.contains(feature) {
                findings.append(guards.finding(1, "nobody asks whether \(feature) is on"))
            }
        }
        if !manifest.text.contains(".treatAllWarnings(as: .error)") {
            findings.append(manifest.finding(1, "warnings are not errors"))
        }
        for target in targets(manifest) + testTargets(manifest) where !target.hasSettings {
            findings.append(
                manifest.finding(target.line, "\(target.folder) lacks `swiftSettings: settings`"))
        }
        return findings
    }

    /// Each source target has a tests target of its name with a test in it, and each folder of
    /// sources is a target.
    static func tests(manifest: TextFile, tree: SourceTree) -> [Finding] {
        let tests = Set(testTargets(manifest).map(\.folder))
        var findings: [Finding] = []
        for target in targets(manifest) {
            let name = String(target.folder.split(separator: "/").last ?? "")
            let expected = "Tests/" + (testNames[name] ?? name + "Tests")
            if !tests.contains(expected) {
                findings.append(
                    manifest.finding(target.line, "\(target.folder) has no \(expected)"))
                continue
            }
            let hasTest = tree.swift(below: expected + "/").contains { file in
                file.tokens.indices.contains {
                    file.source.text($0) == "@" && file.source.text($0 + 1) == "Test"
                }
            }
            if !hasTest {
                findings.append(manifest.finding(target.line, "\(expected) holds no test"))
            }
        }
        let folders = Set(targets(manifest).map(\.folder))
        for file in tree.swift(below: "Sources/")
        where !folders.contains(where: { file.path.hasPrefix($0 + "/") }) {
            findings.append(file.finding(1, "this file belongs to no target"))
        }
        return findings
    }

    /// The Swift targets of Sources: those made by `module(…)` and the executables.
    static func targets(_ manifest: TextFile) -> [Target] {
        calls(manifest, "module(") { line in string(in: line, after: "at: ").map { "Sources/\($0)" }
        }
            + calls(manifest, ".executableTarget(") { line in
                // A program of the tests, such as the fuzzer's, is a tool and no source.
                if string(in: line, after: "path: ")?.hasPrefix("Tests/") == true { return nil }
                return string(in: line, after: "name: ").map { "Sources/\($0)" }
            }
    }

    static func testTargets(_ manifest: TextFile) -> [Target] {
        calls(manifest, "tests(") { line in string(in: line, after: "tests(").map { "Tests/\($0)" }
        }
    }

    /// Each call that starts a line, cut out up to its closing bracket.
    private static func calls(
        _ manifest: TextFile, _ opening: String, folder: (Substring) -> String?
    ) -> [Target] {
        let lines = manifest.lines
        return lines.indices.compactMap { first in
            guard lines[first].drop(while: { $0 == " " }).hasPrefix(opening) else { return nil }
            var depth = 0
            var text = ""
            for line in lines[first...] {
                text += line.drop { $0 == " " } + " "
                depth += line.reduce(0) { $0 + ($1 == "(" ? 1 : $1 == ")" ? -1 : 0) }
                if depth <= 0 { break }
            }
            guard let folder = folder(Substring(text)) else { return nil }
            // The helpers `module` and `tests` pass the settings on themselves.
            let hasSettings =
                opening != ".executableTarget(" || text.contains("swiftSettings: settings")
            return Target(folder: folder, line: first + 1, hasSettings: hasSettings)
        }
    }

    private static func string(in text: Substring, after label: String) -> String? {
        guard let start = text.firstRange(of: label)?.upperBound else { return nil }
        let rest = text[start...].drop { $0 == " " }
        guard rest.first == "\"" else { return nil }
        return String(rest.dropFirst().prefix { $0 != "\"" })
    }
}
