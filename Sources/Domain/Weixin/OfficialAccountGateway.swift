/// A template message to a follower (`reference` section 1.9, Template).
package struct TemplateMessage: Hashable, Sendable {
    /// The receiver's openid; never logged in clear.
    package var openID: String
    /// The template's id at WeChat.
    package var templateID: String
    /// At most 32 characters; WeChat drops a repetition.
    package var clientMessageID: String
    /// The template's values by name, such as `thing1`.
    package var values: [String: String]

    /// Makes a message.
    package init(
        openID: String, templateID: String, clientMessageID: String, values: [String: String]
    ) {
        self.openID = openID
        self.templateID = templateID
        self.clientMessageID = clientMessageID
        self.values = values
    }
}

/// A temporary QR code of the official account (`reference` section 1.9, QR login).
package struct SceneCode: Hashable, Sendable {
    /// What WeChat's own picture of it is fetched by.
    package var ticket: String
    /// The text to draw: `http://weixin.qq.com/q/…`.
    package var url: String
    /// How long WeChat says it works.
    package var lifetimeSeconds: Int64

    /// Makes a value.
    package init(ticket: String, url: String, lifetimeSeconds: Int64) {
        self.ticket = ticket
        self.url = url
        self.lifetimeSeconds = lifetimeSeconds
    }
}

/// Why a message was not sent, or a QR code not made.
package struct OfficialAccountFailure: Error, Hashable, Sendable {
    /// Whether trying again can help.
    package enum Kind: String, Hashable, Sendable {
        /// Busy, rate limited, unreachable: try again later with the same client message id.
        case temporary
        /// The receiver does not follow, the template is unknown, broken JSON: give up.
        case final
        /// Our credentials are wrong: raise an alarm, try again later.
        case misconfigured
    }

    /// What kind.
    package var kind: Kind
    /// WeChat's `errcode`, if one came.
    package var remoteCode: Int?
    /// A sentence for the operator.
    package var message: String

    /// Makes a failure.
    package init(_ kind: Kind, remoteCode: Int? = nil, message: String) {
        self.kind = kind
        self.remoteCode = remoteCode
        self.message = message
    }
}

/// The official account's interface for sending, and for QR codes.
///
/// Implemented over libcurl in Gateways, where the access token is fetched once for all callers.
package protocol OfficialAccountGateway: Sendable {
    /// Sends one template message.
    func send(_ message: TemplateMessage) async throws(OfficialAccountFailure)

    /// Makes a temporary QR code; whoever scans it is told to us with its scene.
    ///
    /// - Parameter scene: 1 to 64 bytes.
    func makeCode(scene: String, lifetimeSeconds: Int64) async throws(OfficialAccountFailure)
        -> SceneCode
}
