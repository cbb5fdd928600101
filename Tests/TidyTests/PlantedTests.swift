import Testing

/// Each rule finds what was planted for it, and nothing in what is right.
@Suite struct PlantedTests {
    private func lines(_ findings: [Finding]) -> [Int] { findings.map(\.line) }

    @Test(arguments: [
        ("Sources/Kernel/A.swift", "import Foundation"),
        ("Sources/Kernel/A.swift", "internal import Glibc"),
        ("Sources/Domain/Chat/A.swift", "import Cryptography"),
        ("Sources/Domain/Orders/A.swift", "package import Accounts"),
        ("Sources/Wire/A.swift", "import NIOCore"),
        ("Sources/RPC/A.swift", "import FoundationEssentials"),
        ("Sources/RPC/A.swift", "import Dispatch"),
        ("Sources/Storage/A.swift", "#if os(Linux)\n    import Foundation\n#endif"),
        ("Sources/Web/A.swift", "import Application"),
        ("Sources/CLI/A.swift", "import TollgateRPC"),
        ("Sources/Server/A.swift", "import struct GRDB.Row"),
        ("Sources/Server/A.swift", "public import TollgateWire"),
        ("Sources/Server/A.swift", "@testable import Application"),
        ("Sources/Jobs/A.swift", "@_exported import Application"),
        ("Sources/Gateways/A.swift", "@preconcurrency import Logging"),
        ("Sources/Elsewhere/A.swift", "import Synchronization"),
        ("Tests/KernelTests/A.swift", "import XCTest"),
    ])
    func `an import against the table is found`(path: String, text: String) {
        #expect(!ImportRule.check(SwiftFile(path, text)).isEmpty)
    }

    @Test func `imports with the table are not found`() {
        let right: [(String, String)] = [
            ("Sources/Kernel/SystemPorts.swift", "internal import Glibc"),
            ("Sources/Client/A.swift", "@_exported public import TollgateWire"),
            ("Sources/Domain/Weixin/A.swift", "private import FoundationXML"),
            ("Sources/RPC/A.swift", "// import Foundation\npackage import NIOCore"),
            ("Tests/KernelTests/A.swift", "import Testing\nimport Foundation"),
        ]
        for (path, text) in right { #expect(ImportRule.check(SwiftFile(path, text)) == []) }
    }

    @Test func `a file that grew too long is found`() {
        func file(_ count: Int) -> TextFile {
            TextFile(path: "A.swift", text: String(repeating: "\n", count: count))
        }
        #expect(SizeRules.file(file(SizeRules.fileLines)) == [])
        #expect(lines(SizeRules.file(file(SizeRules.fileLines + 1))) == [1])
    }

    @Test func `a function that grew too long is found`() {
        func file(_ kind: String, _ count: Int) -> SwiftFile {
            let body = String(repeating: "    step()\n", count: count - 2)
            return SwiftFile("A.swift", "struct S {\n\(kind) {\n\(body)}\n}")
        }
        for kind in ["func f(a: [Int] = []) async", "init?<T>(_ t: T) where T: P", "var x: Int"] {
            #expect(SizeRules.functions(file(kind, SizeRules.functionLines)) == [])
            #expect(lines(SizeRules.functions(file(kind, SizeRules.functionLines + 1))) == [2])
        }
    }

    @Test func `a line that is too wide is found, by characters and not by bytes`() {
        func file(_ line: String) -> TextFile { TextFile(path: "A.swift", text: "\n" + line) }
        #expect(lines(SizeRules.columns(file(String(repeating: "x", count: 101)))) == [2])
        #expect(SizeRules.columns(file(String(repeating: "x", count: 100))) == [])
        #expect(SizeRules.columns(file(String(repeating: "码", count: 100))) == [])
        let link = "// https://example.com/" + String(repeating: "x", count: 100)
        #expect(SizeRules.columns(file(link)) == [])
        let literal = "    \"" + String(repeating: "x", count: 100) + "\""
        #expect(SizeRules.columns(file(literal)) == [])
        #expect(lines(SizeRules.columns(file("let a = " + literal))) == [2])
    }

    @Test(arguments: [
        "let a = try! f()", "let a = b as! C", "let a = b!", "let a = b!.c", "f(b[0]!)", "f(g()!)",
        "var a: Int!", #"let a = "\(b!)""#, "a.b!\n= 3", "fatalError()", "fatalError(\"x\")",
        "print(a)", "Swift; print (a)", "debugPrint(a)", "NSLog(a)",
    ])
    func `a trap is found`(text: String) {
        #expect(lines(BannedCode.traps(SwiftFile("A.swift", text))) == [1])
    }

    @Test(arguments: [
        "let a = !b", "if a != b, c !== d {}", "#if !hasFeature(X)\n#endif", "f(!a, [!b])",
        "// a!\n/* try! */", #"let a = "b! try! \"c!\" print(d)""#, "output.print(a)",
        "func print(_ a: Int) {}", "precondition(a, \"why!\")", "a!=b",
    ])
    func `what only looks like a trap is not found`(text: String) {
        #expect(BannedCode.traps(SwiftFile("A.swift", text)) == [])
    }

    @Test(arguments: [
        "Task { await f() }", "Task.detached { }", "let t = Task<Void, Never> { }",
        "Task(priority: .high) { }", "Task<[Int], any Error>.detached { }",
        "Task.immediate {\n}", "tasks.append(Task { })",
    ])
    func `a loose task is found`(text: String) {
        let found = BannedCode.looseTasks(SwiftFile("Sources/Web/A.swift", text))
        #expect(lines(found) == [1])
        #expect(BannedCode.looseTasks(SwiftFile("Sources/RPC/CallTask.swift", text)) == [])
    }

    @Test(arguments: [
        "try await Task.sleep(for: .seconds(1))", "Task.isCancelled", "let t: Task<Void, Never>",
        "group.addTask { }", "// Task { }", "try Task.checkCancellation()", "final class Task2 {}",
    ])
    func `what only speaks of tasks is not found`(text: String) {
        #expect(BannedCode.looseTasks(SwiftFile("Sources/Web/A.swift", text)) == [])
    }

    @Test func `an unexplained promise is found`() {
        func check(_ text: String) -> [Int] {
            lines(BannedCode.unexplainedPromises(SwiftFile("A.swift", text)))
        }
        #expect(check("final class A: @unchecked Sendable {}") == [1])
        #expect(check("/// Holds things.\npackage final class A: @unchecked Sendable {}") == [2])
        #expect(check("// Sendable: all is locked.\n\nclass A: @unchecked Sendable {}") == [3])
        #expect(check("nonisolated(unsafe) var a = 0") == [1])
        let right = [
            "// Sendable because immutable.\nclass A:\n    B, @unchecked Sendable {}",
            "final class A: @unchecked Sendable {\n    // Unchecked, Sendable: one thread.\n}",
            "/// A box.\n// unchecked: one thread.\n@frozen\nstruct A: @unchecked Sendable {}",
        ]
        for text in right { #expect(check(text) == []) }
        #expect(check("// Written once, before any thread.\nnonisolated(unsafe) var a = 0") == [])
    }

    @Test func `unfinished work is found`() {
        let mark = "TO" + "DO"
        let file = SwiftFile(
            "A.swift", "let a = \"\(mark)\"\n// \(mark): later\n/* \(mark) */\n// \(mark)S")
        #expect(lines(BannedCode.unfinished(file)) == [2, 3])
    }

    @Test(arguments: [
        "package func f() {}", "public struct S {}", "package static let a = 1",
        "@discardableResult\npackage func f() -> Int { 1 }", "// no doc\npackage enum E {}",
        "///\npackage enum E {}", "public nonisolated(nonsending) func f() async {}",
        "package final class C {}", "package init(a: Int) {}", "package private(set) var a = 1",
        "/// P.\npackage protocol P {\n    func f(_ a: (Int) -> Void)\n}",
        "/// F.\n\npackage func f() {}", "package class func f() {}",
    ])
    func `an undocumented declaration is found`(text: String) {
        let found = DocumentationRule.undocumented(SwiftFile("A.swift", text), requirements: [])
        #expect(found.count == 1, "\(found)")
    }

    @Test(arguments: [
        "/// F.\npackage func f() {}", "func f() {}", "private struct S { var a = 1 }",
        "/// F.\n@inlinable\n@available(\n    macOS 1)\npackage func f() {}",
        "package import A", "package extension A {}", "package var description: String { \"\" }",
        "package static func < (a: A, b: A) -> Bool { a }", "package func told(by: Int) {}",
        "/// P.\npackage protocol P {\n    /// F.\n    func f()\n}", "f(package: 1)",
        "/// F.\n// swift-format-ignore\npackage func f() {}",
    ])
    func `a documented or exempt declaration is not found`(text: String) {
        let found = DocumentationRule.undocumented(
            SwiftFile("A.swift", text), requirements: ["told(by:)"])
        #expect(found == [])
    }

    @Test func `names carry their argument labels`() {
        let text = """
            package func f(_ a: [Int: Int], b c: (Int, Int) -> Void, @B d: Int = 1) {}
            package init?(rawValue: Int) {}
            package static func == (a: A, b: A) -> Bool { true }
            package subscript(key: Int) -> Int { 1 }
            """
        #expect(
            LexedSource(text).exposedDeclarations().map(\.name)
                == ["f(_:b:d:)", "init(rawValue:)", "==(a:b:)", "subscript(key:)"])
    }
}
