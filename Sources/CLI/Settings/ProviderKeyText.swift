import Foundation

extension Invocation {
    /// Reads a provider's key from a file, or from standard input, where it is not shown.
    ///
    /// - Parameter path: The file; nil is standard input.
    func providerKey(from path: String?, flag: String = "--from") async throws -> String {
        if let path {
            do {
                return try SecretFile.read(path)
            } catch {
                throw error.failure(about: "The key's file", path: path)
            }
        }
        console.prompt("Key: ")
        let line = await environment.input.secretLine() ?? ""
        try Task.checkCancellation()
        let key = line.trimmingCharacters(in: .whitespacesAndNewlines)
        guard !key.isEmpty else {
            throw CommandFailure(
                .usage, "There is no key.", advice: "Name its file with \(flag).")
        }
        return key
    }
}
