import Testing

/// The rules over the project as it stands.
@Suite struct TreeTests {
    private let tree = SourceTree.project

    /// The files of the contract; samples of the generator's tests are wrong on purpose.
    private var contract: [TextFile] {
        tree.files.filter { $0.path.hasPrefix("Proto/") && $0.path.hasSuffix(".proto") }
    }

    @Test func `the tree was found and read`() {
        #expect(tree.file("Package.swift") != nil)
        #expect(tree.swift(below: "Sources/").count > 30)
        #expect(tree.swift(below: "Tests/TidyTests/").count > 5)
    }

    @Test func `imports point the way the design says`() {
        expectNone(tree.swift.filter { $0.path != "Package.swift" }.flatMap(ImportRule.check))
    }

    @Test func `every folder of the import table exists`() {
        for layer in ImportTable.layers {
            #expect(tree.paths.contains(String(layer.folder.dropLast())), "\(layer.folder)")
            for file in layer.exceptions.keys { #expect(tree.paths.contains(file), "\(file)") }
        }
    }

    @Test func `files stay short`() {
        expectNone(tree.swift.flatMap { SizeRules.file($0.file) })
    }

    @Test func `functions stay short`() {
        expectNone(tree.swift.flatMap(SizeRules.functions))
    }

    @Test func `lines stay within a hundred columns`() {
        expectNone(tree.files.filter(SizeRules.hasColumns).flatMap(SizeRules.columns))
    }

    @Test func `no source traps, prints or forces a value`() {
        expectNone(tree.swift(below: "Sources/").flatMap(BannedCode.traps))
    }

    @Test func `no task runs loose`() {
        expectNone(tree.swift(below: "Sources/").flatMap(BannedCode.looseTasks))
    }

    @Test func `every file that may start tasks exists`() {
        for path in BannedCode.taskStarters.keys {
            #expect(tree.paths.contains(path), "\(path)")
        }
    }

    @Test func `promises to the compiler say why they hold`() {
        expectNone(tree.swift.flatMap(BannedCode.unexplainedPromises))
    }

    @Test func `nothing is left unfinished`() {
        expectNone(tree.swift.flatMap(BannedCode.unfinished))
    }

    @Test func `every exposed declaration is documented`() {
        let generated = tree.files
            .filter { $0.path.hasPrefix("Sources/Server/Generated/") }
            .map { SwiftFile($0) }
        let requirements = (tree.swift(below: "Sources/") + generated)
            .flatMap { $0.source.protocolRequirements() }
            .map(\.name)
        let known = Set(requirements)
        expectNone(
            tree.swift(below: "Sources/")
                .flatMap { DocumentationRule.undocumented($0, requirements: known) })
    }

    @Test func `every language feature is on and asked for`() throws {
        let manifest = try #require(tree.file("Package.swift"))
        let guards = try #require(tree.file("Sources/Kernel/LanguageFeatures.swift"))
        #expect(ManifestRules.targets(manifest).count > 20)
        expectNone(ManifestRules.features(manifest: manifest, guards: guards))
    }

    @Test func `every target has tests`() throws {
        let manifest = try #require(tree.file("Package.swift"))
        expectNone(ManifestRules.tests(manifest: manifest, tree: tree))
    }

    @Test func `no message holds itself`() {
        #expect(contract.flatMap { ContractRules.messages(in: $0) }.count > 20)
        expectNone(ContractRules.recursion(contract))
    }

    @Test func `the contract holds nothing that protobuf-c cannot bear`() {
        expectNone(contract.flatMap(ContractRules.unbearable))
    }

    @Test func `links and paths in the pages lead somewhere`() {
        let pages = tree.files.filter { $0.path.hasSuffix(".md") }
        expectNone(
            pages.flatMap { page in
                LinkRule.check(page, paths: tree.paths) { path in
                    tree.file(path).map { LinkRule.anchors($0.text) }
                }
            })
    }

    @Test func `no text names a registry's host or one machine's folders`() {
        expectNone(tree.files.flatMap(TextRules.check))
    }

    @Test func `the licence and the pages are there`() throws {
        for page in ["README.md", "ARCHITECTURE.md", "STYLE.md", "CHANGELOG.md", "Makefile"] {
            #expect(tree.paths.contains(page), "\(page)")
        }
        let licence = try #require(tree.file("LICENSE"))
        #expect(licence.text.contains("Apache License") && licence.text.contains("Version 2.0"))
        #expect(licence.text.utf8.count > 10_000)
    }
}
