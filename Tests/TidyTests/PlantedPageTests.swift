import Testing

/// The rules on the contract, the manifest and the pages find what was planted for them.
@Suite struct PlantedPageTests {
    private func proto(_ text: String) -> TextFile {
        TextFile(path: "Proto/a.proto", text: "syntax = \"proto3\";\npackage t.v1;\n" + text)
    }

    @Test(arguments: [
        "message A { A next = 1; }", "message A { repeated t.v1.A all = 1; }",
        "message A { B b = 1; }\nmessage B { oneof c { .t.v1.A a = 1; int32 d = 2; } }",
        "message A { map<string, A> by_name = 1; }",
        "message A { message B { A a = 1; } B b = 1; }",
    ])
    func `a message that holds itself is found`(text: String) {
        #expect(ContractRules.recursion([proto(text)]).contains { $0.line == 3 })
    }

    @Test func `messages that only share a name are not found`() {
        let text = """
            message A { message C { int32 a = 1; } C c = 1; string A = 2; }
            message B { A a = 1; A.C c = 2; enum A2 { ZERO = 0; } A2 d = 3; }
            message C { B b = 1; }
            """
        #expect(ContractRules.recursion([proto(text)]) == [])
        let fields = ContractRules.messages(in: proto(text)).map(\.fieldTypes)
        #expect(fields.count == 4)
    }

    @Test func `what protobuf-c cannot bear is found`() {
        let text = """
            import "tollgate/v1/options.proto";
            message A {
                optional int32 a = 1;
            }
            service S { rpc Delete(A) returns (A); }
            """
        #expect(ContractRules.unbearable(proto(text)).map(\.line).sorted() == [1, 5, 7])
        #expect(ContractRules.unbearable(proto("message A { int32 optional_a = 1; }")) == [])
    }

    @Test func `a dead link is found`() {
        let page = TextFile(
            path: "Deploy/guide.md",
            text: """
                [a](../README.md) [b](gone.md) [c](https://example.com/gone.md)
                [d](../README.md#the-parts-picture) [e](../README.md#gone) [f](#here)
                `Sources/RPC/Gone.swift` `Sources/RPC/Here.swift` `Sources/<X>/` `make test`
                ```
                [g](gone.md)
                ```
                # Here
                """)
        let paths: Set<String> = ["README.md", "Deploy/guide.md", "Sources/RPC/Here.swift"]
        let found = LinkRule.check(page, paths: paths) { path in
            path == "README.md" ? LinkRule.anchors("## The parts, picture\n") : ["here"]
        }
        #expect(found.map(\.line) == [1, 2, 3])
    }

    @Test func `a registry's host or a machine's folder is found`() {
        func check(_ text: String) -> Int {
            TextRules.check(TextFile(path: "a.md", text: text)).count
        }
        #expect(check("from " + "py" + "pi.org/simple") == 1)
        #expect(check("cd /" + "root/x, /" + "work/y") == 2)
        #expect(check("see https://example.com/" + "home/, Sources/" + "work/a, /tmp/x") == 0)
    }

    private let guards = TextFile(
        path: "LanguageFeatures.swift",
        text: ManifestRules.features.map { "#if !hasFeature(\($0))\n#endif" }
            .joined(separator: "\n"))

    private func manifest(_ features: [String], _ targets: String = "") -> TextFile {
        let lines = features.map { ".enableUpcomingFeature(\"\($0)\")," }
        return TextFile(
            path: "Package.swift",
            text: lines.joined(separator: "\n") + "\n.treatAllWarnings(as: .error),\n" + targets)
    }

    @Test func `a feature that is off, misspelt or not asked for is found`() {
        let all = ManifestRules.features
        #expect(ManifestRules.features(manifest: manifest(all), guards: guards) == [])
        let fewer = manifest(Array(all.dropFirst()))
        #expect(ManifestRules.features(manifest: fewer, guards: guards).count == 1)
        let misspelt = manifest(all.dropLast() + ["NonIsolatedNonSendingByDefault"])
        #expect(ManifestRules.features(manifest: misspelt, guards: guards).count == 1)
        let silent = TextFile(path: "LanguageFeatures.swift", text: "")
        #expect(ManifestRules.features(manifest: manifest(all), guards: silent).count == all.count)
        let bare = manifest(all, "    .executableTarget(\n        name: \"X\"),\n")
        #expect(ManifestRules.features(manifest: bare, guards: guards).count == 1)
    }

    @Test func `targets are read from the manifest`() {
        let text = """
                module("Chat", at: "Domain/Chat", ["TollgateKernel"]),
                module(
                    "Jobs", at: "Jobs",
                    domains + ["Application"]),
                .executableTarget(
                    name: "Tool", dependencies: [], swiftSettings: settings),
                tests("ChatTests", []),
                tests(
                    "JobsTests", []),
            """
        let file = manifest([], text)
        #expect(
            ManifestRules.targets(file).map(\.folder)
                == ["Sources/Domain/Chat", "Sources/Jobs", "Sources/Tool"])
        #expect(
            ManifestRules.testTargets(file).map(\.folder) == ["Tests/ChatTests", "Tests/JobsTests"])
    }
}
