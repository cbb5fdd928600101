package import Chat
package import Operations
package import Orders
package import TollgateKernel

/// What operators sell and offer: each act is written to their log in the transaction that does it.
///
/// Products and models are withdrawn, never removed: orders, permissions and usage name them.
/// Orders go by a product in the transaction that makes them, chats by a model as ``Catalogue``
/// shows it, a second later at most.
package struct CatalogueAdministration: Sendable {
    let ports: Ports
    let vault: Vault

    /// Makes the use case.
    package init(_ ports: Ports, vault: Vault) {
        self.ports = ports
        self.vault = vault
    }

    /// Every product, on sale or withdrawn, in the operator's order.
    package func products() async throws -> [Product] {
        try await ports.store.read { tx in try tx.orders.products(limit: Limits.products) }
    }

    /// Makes a product, or changes one for orders from now on.
    ///
    /// - Throws: `invalid_request` for what is beyond a bound, `not_found` for a model that there
    ///   is not, `conflict` for one product too many.
    package func set(_ product: Product, by operatorOf: ActedBy) async throws -> Product {
        let product = try product.checked()
        return try await change(.productSet, product.key.rawValue, by: operatorOf) { tx in
            let old = try tx.orders.product(product.key)
            if old == nil, try tx.orders.products(limit: .max).count >= Limits.products {
                throw Failure(
                    .conflict,
                    "There are \(Limits.products) products; change one that is withdrawn.")
            }
            for model in product.models where try tx.chat.model(model) == nil {
                throw Failure(.notFound, "There is no model \(model) to permit; make it first.")
            }
            try tx.orders.save(product)
            return Change(before: old?.summaryLine, after: product.summaryLine, value: product)
        }
    }

    /// Takes a product off sale; orders that were made go on.
    ///
    /// - Throws: `not_found` for an unknown product.
    package func withdraw(_ key: ProductKey, by operatorOf: ActedBy) async throws -> Product {
        try await change(.productWithdrawn, key.rawValue, by: operatorOf) { tx in
            guard let old = try tx.orders.product(key) else {
                throw Failure(.notFound, "There is no product of this key; list the products.")
            }
            var product = old
            product.isEnabled = false
            try tx.orders.save(product)
            return Change(before: old.summaryLine, after: product.summaryLine, value: product)
        }
    }

    /// Every model, offered or withdrawn, in the operator's order.
    package func models() async throws -> [ChatModel] {
        try await ports.store.read { tx in try tx.chat.models(limit: Limits.models) }
    }

    /// Makes a model, or changes one for calls from now on.
    ///
    /// - Throws: `invalid_request` for what is beyond a bound, `conflict` for one model too many.
    package func set(_ model: ChatModel, by operatorOf: ActedBy) async throws -> ChatModel {
        let model = try model.checked()
        return try await change(.modelSet, model.name.rawValue, by: operatorOf) { tx in
            let old = try tx.chat.model(model.name)
            if old == nil, try tx.chat.models(limit: .max).count >= Limits.models {
                throw Failure(
                    .conflict, "There are \(Limits.models) models; change one that is withdrawn.")
            }
            try tx.chat.save(model)
            return Change(before: old?.summaryLine, after: model.summaryLine, value: model)
        }
    }

    /// Offers a model no longer; calls under way are answered and charged.
    ///
    /// - Throws: `not_found` for an unknown model.
    package func withdraw(_ name: ModelName, by operatorOf: ActedBy) async throws -> ChatModel {
        try await change(.modelWithdrawn, name.rawValue, by: operatorOf) { tx in
            guard let old = try tx.chat.model(name) else {
                throw Failure(.notFound, "There is no model of this name; list the models.")
            }
            var model = old
            model.isEnabled = false
            try tx.chat.save(model)
            return Change(before: old.summaryLine, after: model.summaryLine, value: model)
        }
    }
}

extension CatalogueAdministration {
    /// What an act changed, as the log tells it, and how it is now.
    struct Change<Value: Sendable>: Sendable {
        /// Nil if there was nothing.
        var before: String?
        var after: String
        var value: Value
    }

    /// Changes something and writes the act, in one transaction.
    func change<Value: Sendable>(
        _ kind: AdminAct.Kind, _ object: String, by operatorOf: ActedBy,
        _ body: @escaping @Sendable (any Transaction) throws -> Change<Value>
    ) async throws -> Value {
        let by = try operatorOf.checked()
        let id = AdminActID(rawValue: ports.identifiers.next())
        let now = ports.clock.now()
        return try await ports.store.write { tx in
            let change = try body(tx)
            try tx.adminLog.insert(
                AdminAct(
                    id: id, key: id.description, kind: kind, by: by, object: object,
                    before: change.before ?? "none", after: change.after, at: now))
            return change.value
        }
    }
}

extension Product {
    /// The product in a line of the operators' log.
    fileprivate var summaryLine: String {
        let life = lifetimeDays.map { "for \(Plural.of($0, "day"))" } ?? "for ever"
        let models = models.map(\.rawValue).joined(separator: ", ")
        return "\(isEnabled ? "on sale" : "withdrawn"), \(price), \(credits) credits \(life), "
            + "\(models.isEmpty ? "" : "permits \(models), ")place \(position), “\(name)”"
            + (summary.isEmpty ? "" : ": \(summary)")
    }
}

extension ChatModel {
    /// The model in a line of the operators' log.
    fileprivate var summaryLine: String {
        "\(isEnabled ? "offered" : "withdrawn"), for \(isOpenToAll ? "everybody" : "buyers"), "
            + "\(price.perCall) a call, \(price.perThousandPromptTokens) and "
            + "\(price.perThousandCompletionTokens) for 1,000 tokens of prompt and answer, "
            + "\(maxTokens) tokens at most, place \(position)"
            + (summary.isEmpty ? "" : ": \(summary)")
    }
}
