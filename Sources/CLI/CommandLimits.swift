/// The bounds of the command line, each with its reason.
///
/// The command line sees the client library alone, so that they do not stand among the kernel's.
package enum CommandLimits {
    /// Bytes of one line or of a whole question from standard input: twice what a conversation may
    /// have, so that the server's own refusal, which says more, is what people see.
    package static let inputBytes = 512 * 1024

    /// Turns of a conversation that are sent again: the contract takes 256 with the new question.
    package static let turnsRemembered = 254

    /// Bytes of a conversation that are sent again: the contract takes 256 KiB in all; the rest is
    /// room for the question.
    package static let conversationBytes = 192 * 1024

    /// Bytes of a credential or session file: such a file is one short line, and anything else
    /// was named by mistake.
    package static let secretFileBytes = 4 * 1024

    /// Tokens that an answer of a new model may have where its operator says nothing: every model
    /// in use gives that many, and who wants more says so.
    package static let newModelMaxTokens: Int64 = 4_096

    /// Bytes of a user's entry in the system's list: glibc suggests 1 KiB (`_SC_GETPW_R_SIZE_MAX`),
    /// and directory services may have long comments.
    package static let userEntryBytes = 16 * 1024

    /// The first pause between two looks at an order: a person who has just paid is waiting.
    package static let orderPollMilliseconds: Int64 = 500

    /// The longest pause between two looks at an order: half a minute of looking would feel dead.
    package static let orderPollCeilingMilliseconds: Int64 = 5_000

    /// How long an order is watched after its time to pay is out: the job that closes orders runs
    /// every minute.
    package static let orderClosingMilliseconds: Int64 = 120_000

    /// Looks at an order that may fail in a row before waiting is given up.
    package static let orderPollFailures = 5

    /// Movements asked for at once for a whole month's: the most that the contract gives.
    package static let statementPage: Int64 = 200

    /// How long an audit is waited for when nobody says: an hour, as long as a server lets one run,
    /// and a little for the way there and back, so that the server's own sentence is told.
    package static let auditMilliseconds: Int64 = 3_630_000

    /// Modules of white around a QR code: ISO/IEC 18004, 9.1.
    package static let quietZoneModules = 4

    /// The width that text is laid out in when the terminal does not say its own.
    package static let columns = 80

    /// How often a countdown is drawn anew, and the pause before a broken wait is taken up again.
    package static let countdownMilliseconds: Int64 = 1_000

    /// Times that waiting for a phone may break in a row before it is given up: with the pause
    /// between, as long as a server takes to start again.
    package static let scanLoginFailures = 10
}
