import Foundation

/// A name under which a login session is kept, in a file that only its owner may read.
package struct Profile: Hashable, Sendable {
    /// The profile if nobody names one.
    package static let standardName = "default"

    /// The name.
    package let name: String

    /// The file with the login session.
    package let sessionPath: String

    /// Names a profile in a configuration folder.
    /// - Throws: A usage failure if the name could leave the folder.
    package init(name: String, folder: String) throws(CommandFailure) {
        let isPlain = name.allSatisfy { character in
            character.isASCII
                && (character.isLetter || character.isNumber || "._-".contains(character))
        }
        guard isPlain, (1...64).contains(name.count), !name.hasPrefix(".") else {
            throw CommandFailure(
                .usage, "\(TerminalText.line(name)) is no name of a profile.",
                advice: "Use 1 to 64 letters, digits, dots, hyphens and underscores.")
        }
        self.name = name
        sessionPath = "\(folder)/\(name)/session.json"
    }

    /// The login session; nil if nobody is signed in.
    /// - Throws: A failure if the file cannot be used.
    package func session() throws(CommandFailure) -> LoginSession? {
        let text: String
        do {
            text = try SecretFile.read(sessionPath)
        } catch .missing {
            return nil
        } catch {
            throw error.failure(about: "The login session's file", path: sessionPath)
        }
        guard let session = try? JSONDecoder().decode(LoginSession.self, from: Data(text.utf8))
        else {
            throw SecretFile.Problem.unusable.failure(
                about: "The login session's file", path: sessionPath)
        }
        return session
    }

    /// Keeps a login session.
    package func keep(_ session: LoginSession) throws(CommandFailure) {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        do {
            let document = try encoder.encode(session)
            try SecretFile.write(String(decoding: document, as: UTF8.self), to: sessionPath)
        } catch let problem as SecretFile.Problem {
            throw problem.failure(about: "The login session's file", path: sessionPath)
        } catch {
            throw SecretFile.Problem.unusable.failure(
                about: "The login session's file", path: sessionPath)
        }
    }

    /// Forgets the login session.
    package func forget() throws(CommandFailure) {
        do {
            try SecretFile.remove(sessionPath)
        } catch {
            throw error.failure(about: "The login session's file", path: sessionPath)
        }
    }
}

/// A login session as it is kept between commands.
package struct LoginSession: Codable, Hashable, Sendable {
    /// The server that gave it; it is sent to no other.
    package var server: String
    /// The secret.
    package var token: String
    /// The account, as 13 characters.
    package var account: String
    /// When it ends, in milliseconds since 1970.
    package var expiresAtMilliseconds: Int64

    /// Makes a session.
    package init(server: String, token: String, account: String, expiresAtMilliseconds: Int64) {
        self.server = server
        self.token = token
        self.account = account
        self.expiresAtMilliseconds = expiresAtMilliseconds
    }
}
