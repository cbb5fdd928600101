internal import Auth
internal import TollgateKernel
internal import Weixin

/// What the official account answers about login attempts; the names are stored with the push.
enum ScanAnswer: String {
    /// Asked for the number on the screen.
    case asked = "scan_asked"
    /// The code works no more.
    case late = "scan_late"
    /// Somebody else scanned it.
    case taken = "scan_taken"
    /// The number was right.
    case confirmed = "login_confirmed"
    /// The number was wrong.
    case wrongNumber = "login_wrong_number"
    /// Too many numbers were wrong.
    case limited = "login_limited"
    /// The person said no.
    case declined = "login_declined"

    /// What the person reads.
    ///
    /// - Parameter device: what the attempt calls itself; cleaned here, since whoever began it,
    ///   who may be a stranger, chose the words.
    func text(device: String) -> String {
        switch self {
        case .asked:
            let name = Self.cleaned(device)
            return "「\(name)」请求用您的微信登录。\n如果是您本人操作，请回复那块屏幕上显示的两位数字；"
                + "如果不是，请回复「否」，也不要把数字告诉任何人。"
                + "\n“\(name)” asks to sign in as you. If you began this yourself, reply with the "
                + "two digits on that screen. If not, reply “no”, and tell nobody the digits."
        case .late:
            return "这个二维码已失效，请重新获取。\nThis QR code no longer works; get a new one."
        case .taken:
            return "这个二维码已被别人扫过，登录已取消，请重新获取。"
                + "\nSomebody else scanned this QR code too, so the login was stopped; get another."
        case .confirmed:
            return "已确认，请回到那块屏幕继续。\nConfirmed; go on at that screen."
        case .wrongNumber:
            return "数字不对，登录已取消，请重新获取二维码。"
                + "\nThat is not the number shown, so the login was stopped; get a new QR code."
        case .limited:
            return "错误次数过多，登录已取消，请稍后再试。"
                + "\nToo many wrong numbers, so the login was stopped; wait a minute."
        case .declined:
            return "已拒绝，没有人登录。\nRefused; nobody was signed in."
        }
    }

    /// Letters, digits and what holds words together: no line of another's making, no address that
    /// a phone would turn into a link.
    static func cleaned(_ device: String) -> String {
        let words = device.split { character in
            !character.isLetter && !character.isNumber && character != "-" && character != "_"
        }
        let name = words.joined(separator: " ").cut(toBytes: Limits.shownDeviceBytes)
        return name.isEmpty ? "?" : name
    }
}

/// The phone's side of logins by QR code, inside the transaction that records the push.
struct AnswerScan {
    let tx: any Transaction
    let ports: Ports
    let now: Timestamp

    /// A follower scanned a code of ours.
    func scan(_ scene: LoginScene, by openID: String, number: Int64) throws -> ScanAnswer {
        guard let known = try tx.loginAttempts.attempt(scene: scene) else { return .late }
        var attempt = known
        let outcome = attempt.scan(by: openID, number: number, at: now)
        if attempt.state != known.state {
            if outcome == .asked { try end(.superseded, of: openID) }
            try tx.loginAttempts.save(attempt, was: known.state)
        }
        switch outcome {
        case .asked: return .asked
        case .taken: return .taken
        case .late: return .late
        }
    }

    /// A person sent a number; nil if no attempt asks them for one.
    func reply(_ number: Int64, from openID: String) throws -> ScanAnswer? {
        guard let known = try asking(openID) else { return nil }
        var attempt = known
        guard let answer = try answer(number, from: openID, &attempt) else { return nil }
        try tx.loginAttempts.save(attempt, was: known.state)
        return answer
    }

    private func answer(
        _ number: Int64, from openID: String, _ attempt: inout LoginAttempt
    ) throws -> ScanAnswer? {
        let minute = GuessLimit.minute(of: now)
        let source = try ports.identityKey.replySourceDigest(openID: openID)
        let wrong = try tx.auth.wrongGuesses(source: source, minute: minute)
        guard GuessLimit.judge(ofSource: wrong, inAll: 0, at: now) == nil else {
            attempt.refuse(.wrongNumber)
            return .limited
        }
        switch attempt.confirm(number: number, by: openID, at: now) {
        case .confirmed: return .confirmed
        case .late: return nil
        case .wrongNumber:
            try tx.auth.recordWrongGuess(source: source, minute: minute)
            return .wrongNumber
        }
    }

    /// A person said no; nil if nobody asked them.
    func decline(_ openID: String) throws -> ScanAnswer? {
        guard try asking(openID) != nil else { return nil }
        try end(.declined, of: openID)
        return .declined
    }

    /// A person left the official account: what they had scanned or confirmed leads nowhere.
    func leave(_ openID: String) throws { try end(.left, of: openID) }

    /// The live attempt that waits for a person's number.
    private func asking(_ openID: String) throws -> LoginAttempt? {
        guard let attempt = try tx.loginAttempts.openAttempt(openID: openID),
            attempt.isLive(at: now), case .scanned = attempt.state
        else { return nil }
        return attempt
    }

    private func end(_ refusal: LoginAttempt.Refusal, of openID: String) throws {
        guard let known = try tx.loginAttempts.openAttempt(openID: openID) else { return }
        var attempt = known
        guard attempt.refuse(refusal) else { return }
        try tx.loginAttempts.save(attempt, was: known.state)
    }
}
