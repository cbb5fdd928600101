extension Limits {
    /// How long a login code works: time to read eight characters and type them, twice.
    package static let loginCodeMilliseconds: Int64 = 3 * 60_000

    /// How long a login session lives: a month of use without signing in again.
    package static let loginSessionMilliseconds: Int64 = 30 * 86_400_000

    /// Wrong guesses a minute from one source: a person mistypes, a program guesses.
    package static let wrongGuessesOfSourceAMinute: Int64 = 5

    /// Wrong guesses a minute in all.
    ///
    /// With 1,000 codes alive at once, guessing at this rate hits one of 2^40 in about seven years.
    package static let wrongGuessesInAllAMinute: Int64 = 300

    /// The least length of the identity key, which all digests of people depend on.
    package static let identityKeyBytes = 32

    /// Login sessions of one account: browsers and command lines somebody may still recognise in a
    /// list.
    ///
    /// Another login ends the one that was used least recently.
    package static let loginSessionsOfAccount = 100

    /// How old a session's last use may be before another one is written, in milliseconds: a person
    /// asks whether it was today, not at which second, and a write a chat would buy nothing.
    package static let loginSessionUseMilliseconds: Int64 = 5 * 60_000

    /// API keys of one account that are not revoked: one for each program of a busy team.
    package static let apiKeysOfAccount = 50

    /// API keys that one account makes in ``endedKeyMemoryMilliseconds``, the revoked ones
    /// included: each of a busy team's four times, so that making and revoking in a loop leaves no
    /// more rows than that.
    package static let apiKeysMadeOfAccount = 200

    /// API keys one answer tells, the revoked ones included.
    package static let apiKeysPerAnswer = 200

    /// Bytes of an API key's name: a line of a list.
    package static let apiKeyNameBytes = 64

    /// Models one API key can be held to: an operator offers dozens.
    package static let apiKeyModels = 32

    /// Calls in a minute that a limit can say: above what one server answers, it limits nothing.
    package static let requestsPerMinute: Int64 = 1_000_000

    /// How long a login attempt by QR code lives: time to find the phone, scan and answer; a code
    /// that was photographed is worth nothing soon after.
    package static let loginAttemptMilliseconds: Int64 = 5 * 60_000

    /// Login attempts of one source in their lifetime, whatever became of them: a person begins
    /// two or three, an office behind one address some more, a program does not stop.
    ///
    /// Cancelled ones count, since each has cost a call to WeChat, which has a daily quota.
    package static let loginAttemptsOfSource: Int64 = 12

    /// Login attempts in all in their lifetime: 400 a minute.
    package static let loginAttemptsInAll: Int64 = 2_000

    /// Parts that the sources of login attempts fall into by chance, each with its share of
    /// ``loginAttemptsInAll``: two logins that begin at one moment seldom write the same row then,
    /// and no count reads what all others write.
    package static let loginAttemptParts: Int64 = 8

    /// The numbers a screen shows after a scan: two digits are read at a glance and typed without
    /// a mistake, and since a wrong one ends the attempt, a blind guess is right once in 90.
    package static let loginNumbers: ClosedRange<Int64> = 10...99

    /// How often a waiting screen's attempt is looked up: what the phone does is seen within a
    /// second, and the most attempts there can be, each watched once, cost 2,000 reads of one row a
    /// second.
    package static let loginAttemptLookMilliseconds: Int64 = 1_000

    /// Who may wait for one login attempt at once, at one server: its screen, some windows of it,
    /// and connections from before that have not been found dead yet.
    package static let loginAttemptWatchers = 8
}
