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

/// Why a message was not sent.
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

/// The official account's interface for sending.
///
/// Implemented over libcurl in Gateways, where the access token is fetched once for all callers.
package protocol OfficialAccountGateway: Sendable {
    /// Sends one template message.
    func send(_ message: TemplateMessage) async throws(OfficialAccountFailure)
}
