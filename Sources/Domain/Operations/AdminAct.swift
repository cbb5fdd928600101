package import TollgateKernel

/// Something an operator did: written in the transaction that does it, never changed.
package struct AdminAct: Hashable, Sendable {
    /// What kind.
    package enum Kind: String, Hashable, Sendable, CaseIterable {
        /// A tier was made or changed.
        case tierSet = "tier_set"
        /// An account was put into a tier.
        case accountTierSet = "account_tier_set"
        /// An account may no longer spend.
        case accountFrozen = "account_frozen"
        /// It may again.
        case accountUnfrozen = "account_unfrozen"
        /// Every login session of an account was ended.
        case accountSignedOut = "account_signed_out"
        /// Credits were given or taken.
        case creditsAdjusted = "credits_adjusted"
        /// An account was deleted on its person's behalf.
        case accountDeleted = "account_deleted"
        /// A fresh master key was put in the place of the one before.
        case masterKeyRotated = "master_key_rotated"
        /// Every stored key was gone over, to be sealed under the present master key.
        case keysResealed = "keys_resealed"
        /// A job was run because somebody asked for it, not because it was due.
        case jobRunByHand = "job_run_by_hand"
        /// The whole store was copied into a file.
        case storeBackedUp = "store_backed_up"
        /// A backup was put in the place of the store: the first act of its second life.
        case storeRestored = "store_restored"
        /// A product was made or changed.
        case productSet = "product_set"
        /// A product was taken off sale.
        case productWithdrawn = "product_withdrawn"
        /// A model was made or changed.
        case modelSet = "model_set"
        /// A model is offered no longer.
        case modelWithdrawn = "model_withdrawn"
        /// A channel was made or changed.
        case channelSet = "channel_set"
        /// Nothing is asked of a channel any more.
        case channelDisabled = "channel_disabled"
        /// It may be asked again.
        case channelEnabled = "channel_enabled"
    }

    /// The act.
    package var id: AdminActID
    /// Unique: an act that is repeated under its key is done once.
    ///
    /// An adjustment's is its transfer's.
    package var key: String
    /// What kind.
    package var kind: Kind
    /// Who, with which credential, and why.
    package var by: ActedBy
    /// What it was done to, at most 64 bytes: an account, a tier, a model.
    package var object: String
    /// How that stood before, in short.
    package var before: String
    /// How it stands since.
    package var after: String
    /// When.
    package var at: Timestamp

    /// Makes a value.
    package init(
        id: AdminActID, key: String, kind: Kind, by: ActedBy, object: String, before: String,
        after: String, at: Timestamp
    ) {
        self.id = id
        self.key = key
        self.kind = kind
        self.by = by
        self.object = object
        self.before = before
        self.after = after
        self.at = at
    }
}

/// Who acts as an operator, and why.
package struct ActedBy: Hashable, Sendable {
    /// The name of the connection's credential: what the server has verified.
    package var credential: String
    /// The person, as their own machine names them.
    package var person: String
    /// Why, in a sentence.
    package var reason: String
    /// The number of the call, to find it in logs and traces.
    package var correlationID: Int64

    /// Makes a value.
    package init(credential: String, person: String, reason: String, correlationID: Int64) {
        self.credential = credential
        self.person = person
        self.reason = reason
        self.correlationID = correlationID
    }

    /// Checks what a caller says of itself.
    ///
    /// - Throws: `invalid_request` without a person or a reason, or with too long ones.
    package func checked() throws(Failure) -> ActedBy {
        guard person.isLine(ofBytes: 1...Limits.operatorBytes),
            reason.isLine(ofBytes: 1...Limits.adminReasonBytes)
        else {
            throw Failure(
                .invalidRequest,
                "An operator's act names its operator and a reason, each on one line.")
        }
        return self
    }
}

/// Stores what operators did.
///
/// Every method runs inside one transaction.
package protocol AdminLogRepository {
    /// Adds an act; `constraint` if its key exists.
    func insert(_ act: AdminAct) throws(StoreError)

    /// The act with this key.
    func adminAct(key: String) throws(StoreError) -> AdminAct?

    /// Acts below an id (nil starts at the newest), newest first; at most `limit`.
    func adminActs(before id: AdminActID?, limit: Int) throws(StoreError) -> [AdminAct]
}
