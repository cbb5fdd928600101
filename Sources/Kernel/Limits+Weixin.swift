extension Limits {
    /// A push's body: WeChat's own texts are at most 2,048 bytes; sealed and in XML some 5 KiB.
    package static let pushBytes = 64 * 1_024

    /// Fields of a push: the richest event has fewer than 30.
    package static let pushFields = 64

    /// Elements inside each other: a push is flat but for lists such as `ScanCodeInfo`.
    package static let pushDepth = 6

    /// Login codes drawn for one push before giving up: two people's live codes are equal once in
    /// 10^12 draws, so a second draw is rare and an eighth is a defect.
    package static let loginCodeDraws: Int64 = 8

    /// A QR code's scene: what WeChat takes.
    package static let sceneBytes = 64
}
