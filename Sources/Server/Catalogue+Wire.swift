internal import Application
internal import Chat
internal import Operations
internal import Orders
internal import TollgateKernel
internal import TollgateRPC
internal import TollgateWire

/// What operators sell and offer, on the wire.
struct CatalogueHandlers: CatalogueServiceHandlers {
    let administration: CatalogueAdministration

    func listAllProducts(_ request: V1.ListAllProductsRequest, _ context: ServerCallContext)
        async throws -> V1.ListAllProductsResponse
    {
        V1.ListAllProductsResponse(
            products: try await administration.products().map(V1.CatalogueProduct.init))
    }

    func setProduct(_ request: V1.SetProductRequest, _ context: ServerCallContext) async throws
        -> V1.SetProductResponse
    {
        let set = try await administration.set(
            Product(request.product ?? V1.CatalogueProduct()), by: ActedBy(request.by, context))
        return V1.SetProductResponse(product: V1.CatalogueProduct(set))
    }

    func withdrawProduct(_ request: V1.WithdrawProductRequest, _ context: ServerCallContext)
        async throws -> V1.WithdrawProductResponse
    {
        let withdrawn = try await administration.withdraw(
            ProductKey(rawValue: request.key), by: ActedBy(request.by, context))
        return V1.WithdrawProductResponse(product: V1.CatalogueProduct(withdrawn))
    }

    func listAllModels(_ request: V1.ListAllModelsRequest, _ context: ServerCallContext)
        async throws -> V1.ListAllModelsResponse
    {
        let channels = try await administration.channels()
        return V1.ListAllModelsResponse(
            models: try await administration.models().map { V1.CatalogueModel($0, channels) })
    }

    func setModel(_ request: V1.SetModelRequest, _ context: ServerCallContext) async throws
        -> V1.SetModelResponse
    {
        let set = try await administration.set(
            ChatModel(request.model ?? V1.CatalogueModel()), by: ActedBy(request.by, context))
        return V1.SetModelResponse(
            model: V1.CatalogueModel(set, (try? await administration.channels()) ?? []))
    }

    func withdrawModel(_ request: V1.WithdrawModelRequest, _ context: ServerCallContext)
        async throws -> V1.WithdrawModelResponse
    {
        let withdrawn = try await administration.withdraw(
            ModelName(rawValue: request.name), by: ActedBy(request.by, context))
        return V1.WithdrawModelResponse(
            model: V1.CatalogueModel(withdrawn, (try? await administration.channels()) ?? []))
    }

    func listChannels(_ request: V1.ListChannelsRequest, _ context: ServerCallContext)
        async throws -> V1.ListChannelsResponse
    {
        V1.ListChannelsResponse(
            channels: try await administration.channels().map(V1.CatalogueChannel.init))
    }

    func setChannel(_ request: V1.SetChannelRequest, _ context: ServerCallContext) async throws
        -> V1.SetChannelResponse
    {
        let channel = request.channel ?? V1.CatalogueChannel()
        guard let kind = ModelEndpoint.Kind(rawValue: channel.kind) else {
            throw Failure(.invalidRequest, "A channel's kind is openai.")
        }
        let set = try await administration.set(
            CatalogueAdministration.ChannelWish(
                key: channel.key, kind: kind, baseURL: channel.baseUrl,
                apiKey: request.apiKey.isEmpty ? nil : request.apiKey,
                allowsPlain: request.allowsPlain, isInUse: !channel.disabled,
                offers: channel.offers.map { offer in
                    ChannelOffer(
                        model: ModelName(rawValue: offer.model),
                        upstreamModel: offer.upstreamModel, priority: offer.priority,
                        weight: offer.weight)
                }), by: ActedBy(request.by, context))
        return V1.SetChannelResponse(channel: V1.CatalogueChannel(set))
    }

    func setChannelStatus(_ request: V1.SetChannelStatusRequest, _ context: ServerCallContext)
        async throws -> V1.SetChannelStatusResponse
    {
        let set = try await administration.setInUse(
            !request.disabled, channel: request.key, by: ActedBy(request.by, context))
        return V1.SetChannelStatusResponse(channel: V1.CatalogueChannel(set))
    }
}

extension Product {
    fileprivate init(_ wish: V1.CatalogueProduct) {
        self.init(
            key: ProductKey(rawValue: wish.key), name: wish.name, summary: wish.summary,
            price: Money(fen: wish.priceFen), credits: Credits(micro: wish.microCredits),
            lifetimeDays: wish.lifetimeDays == 0 ? nil : wish.lifetimeDays,
            models: wish.models.map(ModelName.init(rawValue:)), isEnabled: !wish.withdrawn,
            position: wish.position)
    }
}

extension V1.CatalogueProduct {
    fileprivate init(_ product: Product) {
        self.init(
            key: product.key.rawValue, name: product.name, summary: product.summary,
            priceFen: product.price.fen, microCredits: product.credits.micro,
            lifetimeDays: product.lifetimeDays ?? 0, models: product.models.map(\.rawValue),
            position: product.position, withdrawn: !product.isEnabled)
    }
}

extension ChatModel {
    fileprivate init(_ wish: V1.CatalogueModel) {
        self.init(
            name: ModelName(rawValue: wish.name), summary: wish.summary,
            price: ChatPrice(
                perCall: Credits(micro: wish.pricePerCallMicroCredits),
                perThousandPromptTokens: Credits(
                    micro: wish.pricePerThousandPromptTokensMicroCredits),
                perThousandCompletionTokens: Credits(
                    micro: wish.pricePerThousandCompletionTokensMicroCredits)),
            maxTokens: wish.maxTokens, isOpenToAll: wish.openToAll, isEnabled: !wish.withdrawn,
            position: wish.position)
    }
}

extension V1.CatalogueModel {
    fileprivate init(_ model: ChatModel, _ channels: [StockedChannel]) {
        self.init(
            name: model.name.rawValue, summary: model.summary,
            pricePerCallMicroCredits: model.price.perCall.micro,
            pricePerThousandPromptTokensMicroCredits: model.price.perThousandPromptTokens.micro,
            pricePerThousandCompletionTokensMicroCredits:
                model.price.perThousandCompletionTokens.micro,
            maxTokens: model.maxTokens, openToAll: model.isOpenToAll, position: model.position,
            withdrawn: !model.isEnabled,
            channels: channels.filter { stocked in
                stocked.channel.isInUse && stocked.offers.contains { $0.model == model.name }
            }.map(\.channel.key))
    }
}

extension V1.CatalogueChannel {
    fileprivate init(_ stocked: StockedChannel) {
        let channel = stocked.channel
        self.init(
            key: channel.key, kind: channel.kind.rawValue, baseUrl: channel.baseURL,
            keyHint: channel.keyHint, disabled: !channel.isInUse,
            offers: stocked.offers.map { offer in
                V1.ChannelOffer(
                    model: offer.model.rawValue, upstreamModel: offer.upstreamModel,
                    priority: offer.priority, weight: offer.weight)
            })
    }
}
