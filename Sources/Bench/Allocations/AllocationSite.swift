import Foundation

/// A place in the program that allocates, and how much of it falls to one call.
package struct AllocationSite: Sendable, Codable, Equatable {
    /// Which variant of the echo ran.
    package var series: String
    /// `server` or `client`.
    package var side: String
    /// The functions that led to it, the innermost first.
    package var site: String
    /// How many allocations a call makes there.
    package var perCall: Double
    /// How many bytes they are.
    package var bytesPerCall: Double
}

/// Finds the names behind stacks that were kept of another process.
struct AllocationSites: Sendable {
    /// A file that is mapped into the process, from its first byte's address on.
    private struct Module {
        var path: String
        var base: UInt64
        var end: UInt64
    }

    /// How many functions of the program name a site.
    private static let functionsOfSite = 3
    /// Sites that make fewer allocations in a call are left out.
    private static let leastPerCall = 0.02

    /// The program itself: what its libraries do is told by who asked them.
    private let program: String
    private let modules: [Module]

    /// Reads what is mapped into a process; nothing if it has ended.
    init(process: Int32, program: String) {
        self.program = program
        // The kernel gives it page by page, whatever is asked for at once.
        var maps = Data()
        let file = FileHandle(forReadingAtPath: "/proc/\(process)/maps")
        while let part = try? file?.read(upToCount: 1 << 16), !part.isEmpty { maps += part }
        modules = Self.modules(String(decoding: maps, as: UTF8.self))
    }

    /// The files of `/proc/PID/maps`, each from its lowest address to its highest.
    private static func modules(_ maps: String) -> [Module] {
        var found: [String: Module] = [:]
        for line in maps.split(separator: "\n") {
            let fields = line.split(separator: " ", maxSplits: 5)
            guard fields.count == 6 else { continue }
            let range = fields[0].split(separator: "-")
            let path = fields[5].trimmingCharacters(in: .whitespaces)
            guard path.hasPrefix("/"), range.count == 2, let base = UInt64(range[0], radix: 16),
                let end = UInt64(range[1], radix: 16)
            else { continue }
            let known = found[path] ?? Module(path: path, base: base, end: end)
            found[path] = Module(
                path: path, base: min(base, known.base), end: max(end, known.end))
        }
        return found.values.sorted { $0.base < $1.base }
    }

    /// Adds stacks up by site, the largest first.
    ///
    /// - Parameter calls: how many calls were made while the stacks were kept.
    func sites(
        of stacks: [AllocationTally.Stack], calls: Double, series: String, side: String
    ) async throws -> [AllocationSite] {
        let names = try await names(of: Set(stacks.flatMap(\.addresses)))
        var sites: [String: AllocationSite] = [:]
        let weight = Double(AllocationTally.period) / max(1, calls)
        for stack in stacks {
            let name = name(of: stack, names)
            var site =
                sites[name]
                ?? AllocationSite(
                    series: series, side: side, site: name, perCall: 0, bytesPerCall: 0)
            site.perCall += weight
            site.bytesPerCall += weight * Double(stack.bytes)
            sites[name] = site
        }
        return sites.values.filter { $0.perCall >= Self.leastPerCall }
            .sorted { ($1.perCall, $0.site) < ($0.perCall, $1.site) }
    }

    private func module(of address: UInt64) -> Module? {
        modules.first { $0.base <= address && address < $0.end }
    }

    /// The library's function that was asked last, then the program's own.
    private func name(of stack: AllocationTally.Stack, _ names: [UInt64: [String]]) -> String {
        var library: String?
        var own: [String] = []
        for address in stack.addresses {
            let functions = names[address] ?? ["?"]
            if module(of: address)?.path == program {
                own += functions
            } else if own.isEmpty {
                library = functions.last
            }
            if own.count >= Self.functionsOfSite { break }
        }
        return ([library].compactMap { $0 } + own.prefix(Self.functionsOfSite))
            .joined(separator: " < ")
    }

    /// The functions at each return address, inlined ones first.
    private func names(of addresses: Set<UInt64>) async throws -> [UInt64: [String]] {
        var names: [UInt64: [String]] = [:]
        let byModule = Dictionary(grouping: addresses.sorted()) { module(of: $0)?.path ?? "" }
        for (path, addresses) in byModule where !path.isEmpty {
            guard let base = modules.first(where: { $0.path == path })?.base else { continue }
            // The call is before the address to which it returns.
            let places = addresses.map { "0x" + String($0 - base - 1, radix: 16) }
            let text = try await ChildProcess(
                "/usr/bin/env", ["llvm-symbolizer", "--no-demangle", "--obj=\(path)"] + places
            ).result()
            let blocks = text.split(separator: "\n\n", omittingEmptySubsequences: true)
            for (address, block) in zip(addresses, blocks) {
                let lines = block.split(separator: "\n")
                names[address] = stride(from: 0, to: lines.count, by: 2).map { String(lines[$0]) }
            }
        }
        return try await Self.demangled(names)
    }

    private static func demangled(_ names: [UInt64: [String]]) async throws -> [UInt64: [String]] {
        let mangled = Set(names.values.flatMap { $0 }).filter { $0.hasPrefix("$") }.sorted()
        guard !mangled.isEmpty else { return names }
        let text = try? await ChildProcess(
            "/usr/bin/env", ["swift-demangle", "--simplified", "--compact"] + mangled
        ).result()
        let lines = (text ?? "").split(separator: "\n", omittingEmptySubsequences: false)
        let plain = Dictionary(
            zip(mangled, lines.map(String.init)), uniquingKeysWith: { first, _ in first })
        return names.mapValues { $0.map { plain[$0] ?? $0 } }
    }
}
