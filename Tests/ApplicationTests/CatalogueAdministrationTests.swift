import Application
import Auth
import Chat
import Operations
import Orders
import TestSupport
import Testing
import TollgateKernel

/// What operators sell and offer.
@Suite struct CatalogueAdministrationTests {
    private static let by = ActedBy(
        credential: "admin", person: "olga", reason: "opening", correlationID: 7)
    private static let pro = ModelName(rawValue: "pro")

    private static func product(_ change: (inout Product) -> Void = { _ in }) -> Product {
        var product = Product(
            key: ProductKey(rawValue: "big"), name: "Big", summary: "Much.",
            price: Money(fen: 990), credits: Credits(whole: 120), lifetimeDays: 365,
            models: [ModelName(rawValue: "m")], isEnabled: true, position: 2)
        change(&product)
        return product
    }

    private static func model(_ change: (inout ChatModel) -> Void = { _ in }) -> ChatModel {
        var model = ChatModel(
            name: pro, summary: "Thinks.",
            price: ChatPrice(
                perCall: .zero, perThousandPromptTokens: Credits(micro: 500_000),
                perThousandCompletionTokens: Credits(micro: 1_500_000)), maxTokens: 4_096,
            isOpenToAll: false, isEnabled: true, position: 2)
        change(&model)
        return model
    }

    private func code(_ body: () async throws -> Void) async -> Failure.Code? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? Failure)?.code
        }
    }

    @Test func `A product is made, changed and withdrawn, and each act is in the log`()
        async throws
    {
        try await TestBench.with { bench in
            try await bench.offer()
            let catalogue = CatalogueAdministration(bench.ports, vault: bench.vault)
            let made = Self.product()
            #expect(try await catalogue.set(made, by: Self.by) == made)
            let dearer = Self.product { $0.price = Money(fen: 1_990) }
            _ = try await catalogue.set(dearer, by: Self.by)
            let withdrawn = Self.product {
                $0.price = Money(fen: 1_990)
                $0.isEnabled = false
            }
            #expect(try await catalogue.withdraw(made.key, by: Self.by) == withdrawn)
            // What is withdrawn is listed, and sold no more.
            #expect(try await catalogue.products().last == withdrawn)
            #expect(
                try await AccountQueries(bench.ports).products().map(\.key.rawValue)
                    == ["starter"])
            let acts = try await Administration(bench.ports).acts(before: nil, limit: 9)
            #expect(acts.map(\.kind) == [.productWithdrawn, .productSet, .productSet])
            #expect(acts.allSatisfy { $0.by == Self.by && $0.object == "big" })
            let line = "¥9.90, 120 credits for 365 days, permits m, place 2, “Big”: Much."
            let later = line.replacing("¥9.90", with: "¥19.90")
            #expect(acts.map(\.before) == ["on sale, \(later)", "on sale, \(line)", "none"])
            #expect(
                acts.map(\.after)
                    == ["withdrawn, \(later)", "on sale, \(later)", "on sale, \(line)"])
        }
    }

    @Test func `An order keeps what it was made with, whatever becomes of its product`()
        async throws
    {
        try await TestBench.with { bench in
            try await bench.offer()
            let catalogue = CatalogueAdministration(bench.ports, vault: bench.vault)
            let product = Self.product()
            _ = try await catalogue.set(product, by: Self.by)
            let buyer = try await bench.signIn().session.account
            let place = PlaceOrder(bench.ports, payments: ScriptedPayments())
            func order(_ key: String) async throws -> Order {
                try await place.place(
                    product: product.key, for: buyer,
                    idempotencyKey: IdempotencyKey(rawValue: key))
            }
            let made = try await order("1")
            _ = try await catalogue.set(
                Self.product { $0.price = Money(fen: 1) }, by: Self.by)
            #expect(try await order("1").total == Money(fen: 990))
            #expect(try await order("2").total == Money(fen: 1))
            _ = try await catalogue.withdraw(product.key, by: Self.by)
            #expect(try await order("1").id == made.id)
            #expect(await code { _ = try await order("3") } == .notFound)
        }
    }

    @Test func `A model is made, changed and withdrawn, and servers go by it within a second`()
        async throws
    {
        try await Asking.with { asking in
            let catalogue = CatalogueAdministration(
                asking.bench.ports, vault: asking.bench.vault)
            let cached = asking.bench.catalogue
            func offered() async throws -> [String] {
                try await cached.snapshot().models.map(\.name.rawValue)
            }
            _ = try await asking.ask("1")
            let dearer = Self.model { $0.price.perCall = Credits(whole: 2) }
            _ = try await catalogue.set(dearer, by: Self.by)
            #expect(try await offered() == ["m"])
            asking.bench.clock.advance(milliseconds: Limits.catalogueAgeMilliseconds)
            #expect(try await offered() == ["m", "pro"])
            _ = try await catalogue.withdraw(ModelName(rawValue: "m"), by: Self.by)
            asking.bench.clock.advance(milliseconds: Limits.catalogueAgeMilliseconds)
            #expect(try await offered() == ["pro"])
            let all = try await catalogue.models()
            #expect(all.map(\.isEnabled) == [false, true])
            #expect(all.last == dearer)
            let acts = try await Administration(asking.bench.ports).acts(before: nil, limit: 9)
            #expect(acts.map(\.kind) == [.modelWithdrawn, .modelSet])
            #expect(acts.map(\.object) == ["m", "pro"])
            #expect(
                acts.last?.after == "offered, for buyers, 2 a call, 0.5 and 1.5 for 1,000 tokens "
                    + "of prompt and answer, 4096 tokens at most, place 2: Thinks.")
        }
    }

    /// What a product may not be; each breaks one bound.
    private static let wrongProducts: [(String, @Sendable (inout Product) -> Void)] = [
        ("no key", { $0.key = ProductKey(rawValue: "") }),
        ("a key in capitals", { $0.key = ProductKey(rawValue: "Big") }),
        ("a long key", { $0.key = ProductKey(rawValue: String(repeating: "a", count: 33)) }),
        ("no name", { $0.name = "" }),
        ("a long name", { $0.name = String(repeating: "a", count: 128) }),
        ("a name on two lines", { $0.name = "a\nb" }),
        ("a long summary", { $0.summary = String(repeating: "a", count: 201) }),
        ("for nothing", { $0.price = .zero }),
        ("too dear", { $0.price = Money(fen: Limits.productPriceFen + 1) }),
        ("no credits", { $0.credits = .zero }),
        (
            "too many credits",
            { $0.credits = Credits(micro: Limits.creditsInOneTransfer + 1) }
        ),
        ("no day", { $0.lifetimeDays = 0 }),
        ("too many days", { $0.lifetimeDays = Limits.productLifetimeDays + 1 }),
        ("a model twice", { $0.models = [pro, pro] }),
        (
            "too many models",
            { $0.models = (0...16).map { ModelName(rawValue: "m\($0)") } }
        ),
        ("before the first place", { $0.position = -1 }),
        ("behind the last place", { $0.position = Limits.cataloguePosition + 1 }),
    ]

    /// What a model may not be.
    private static let wrongModels: [(String, @Sendable (inout ChatModel) -> Void)] = [
        ("no name", { $0.name = ModelName(rawValue: "") }),
        ("a name with a space", { $0.name = ModelName(rawValue: "a b") }),
        ("a long name", { $0.name = ModelName(rawValue: String(repeating: "a", count: 65)) }),
        ("a long summary", { $0.summary = String(repeating: "a", count: 201) }),
        ("a call below nothing", { $0.price.perCall = Credits(micro: -1) }),
        (
            "prompts too dear",
            {
                $0.price.perThousandPromptTokens = Credits(
                    micro: Limits.modelPriceMicroCredits + 1)
            }
        ),
        (
            "answers below nothing",
            { $0.price.perThousandCompletionTokens = Credits(micro: -1) }
        ),
        ("no token", { $0.maxTokens = 0 }),
        ("too many tokens", { $0.maxTokens = Limits.chatMaxTokens + 1 }),
        ("behind the last place", { $0.position = Limits.cataloguePosition + 1 }),
    ]

    @Test func `What is beyond a bound is refused, and nothing is written`() async throws {
        try await TestBench.with { bench in
            try await bench.offer()
            let catalogue = CatalogueAdministration(bench.ports, vault: bench.vault)
            for (what, change) in Self.wrongProducts {
                let told = await code {
                    _ = try await catalogue.set(Self.product(change), by: Self.by)
                }
                #expect(told == .invalidRequest, "\(what)")
            }
            for (what, change) in Self.wrongModels {
                let told = await code {
                    _ = try await catalogue.set(Self.model(change), by: Self.by)
                }
                #expect(told == .invalidRequest, "\(what)")
            }
            #expect(try await catalogue.products().map(\.key.rawValue) == ["starter"])
            #expect(try await catalogue.models().map(\.name.rawValue) == ["m"])
            #expect(try await Administration(bench.ports).acts(before: nil, limit: 9) == [])
        }
    }

    @Test func `The bounds themselves are kept`() async throws {
        try await TestBench.with { bench in
            let catalogue = CatalogueAdministration(bench.ports, vault: bench.vault)
            let model = Self.model {
                $0.name = ModelName(rawValue: "Qwen/qwen-2.5_72b:free")
                $0.price = ChatPrice(
                    perCall: Credits(micro: Limits.modelPriceMicroCredits),
                    perThousandPromptTokens: .zero, perThousandCompletionTokens: .zero)
                $0.maxTokens = Limits.chatMaxTokens
                $0.summary = ""
            }
            _ = try await catalogue.set(model, by: Self.by)
            let product = Self.product {
                $0.key = ProductKey(rawValue: String(repeating: "a", count: 32))
                $0.name = String(repeating: "a", count: 127)
                $0.price = Money(fen: Limits.productPriceFen)
                $0.credits = Credits(micro: Limits.creditsInOneTransfer)
                $0.lifetimeDays = nil
                $0.models = [model.name]
                $0.position = 0
            }
            #expect(try await catalogue.set(product, by: Self.by) == product)
            #expect(try await catalogue.models() == [model])
        }
    }

    @Test func `What does not exist is neither permitted nor withdrawn`() async throws {
        try await TestBench.with { bench in
            let catalogue = CatalogueAdministration(bench.ports, vault: bench.vault)
            let codes = [
                await code { _ = try await catalogue.set(Self.product(), by: Self.by) },
                await code {
                    _ = try await catalogue.withdraw(ProductKey(rawValue: "big"), by: Self.by)
                },
                await code { _ = try await catalogue.withdraw(Self.pro, by: Self.by) },
            ]
            #expect(codes == [.notFound, .notFound, .notFound])
            let acts = try await Administration(bench.ports).acts(before: nil, limit: 9)
            #expect(acts == [])
        }
    }

    @Test func `An act without a reason changes nothing`() async throws {
        try await TestBench.with { bench in
            try await bench.offer()
            let catalogue = CatalogueAdministration(bench.ports, vault: bench.vault)
            var by = Self.by
            by.reason = ""
            let nameless = by
            let codes = [
                await code { _ = try await catalogue.set(Self.product(), by: nameless) },
                await code {
                    _ = try await catalogue.withdraw(ProductKey(rawValue: "starter"), by: nameless)
                },
                await code { _ = try await catalogue.set(Self.model(), by: nameless) },
                await code {
                    _ = try await catalogue.withdraw(ModelName(rawValue: "m"), by: nameless)
                },
            ]
            #expect(codes == Array(repeating: .invalidRequest, count: 4))
            #expect(try await catalogue.products().map(\.isEnabled) == [true])
            #expect(try await catalogue.models().map(\.isEnabled) == [true])
        }
    }

    @Test func `There are so many products and models and no more, and any can be changed`()
        async throws
    {
        try await TestBench.with { bench in
            let catalogue = CatalogueAdministration(bench.ports, vault: bench.vault)
            @Sendable func number(_ number: Int) -> Product {
                Self.product {
                    $0.key = ProductKey(rawValue: "p\(number)")
                    $0.models = []
                }
            }
            @Sendable func model(_ number: Int) -> ChatModel {
                Self.model { $0.name = ModelName(rawValue: "m\(number)") }
            }
            try await bench.store.write { tx in
                for place in 0..<Limits.products { try tx.orders.save(number(place)) }
                for place in 0..<Limits.models { try tx.chat.save(model(place)) }
            }
            let codes = [
                await code { _ = try await catalogue.set(number(Limits.products), by: Self.by) },
                await code { _ = try await catalogue.set(model(Limits.models), by: Self.by) },
            ]
            #expect(codes == [.conflict, .conflict])
            _ = try await catalogue.set(number(3), by: Self.by)
            _ = try await catalogue.set(model(3), by: Self.by)
        }
    }
}
