import CLI
import Testing
import TollgateClient
import TollgateKernel
import TollgateRPC

@Suite("what operators sell and offer")
struct OfferTests {
    private static let starter = V1.CatalogueProduct(
        key: "starter", name: "Starter", summary: "Ten questions.", priceFen: 990,
        microCredits: 10_000_000, lifetimeDays: 365, models: ["pro"], position: 4)
    private static let pro = V1.CatalogueModel(
        name: "pro", summary: "Thinks.", pricePerThousandPromptTokensMicroCredits: 500_000,
        pricePerThousandCompletionTokensMicroCredits: 1_500_000, maxTokens: 8_192, position: 2)

    private func products(_ products: [V1.CatalogueProduct]) -> MethodRegistration {
        .unary(Methods.CatalogueService.listAllProducts) {
            (_: V1.ListAllProductsRequest, context) in
            #expect(context.identity?.role == .admin)
            return V1.ListAllProductsResponse(products: products)
        }
    }

    private func models(_ models: [V1.CatalogueModel]) -> MethodRegistration {
        .unary(Methods.CatalogueService.listAllModels) { (_: V1.ListAllModelsRequest, _) in
            V1.ListAllModelsResponse(models: models)
        }
    }

    private func setsProduct(_ expected: V1.CatalogueProduct) -> MethodRegistration {
        .unary(Methods.CatalogueService.setProduct) { (request: V1.SetProductRequest, _) in
            #expect(request.product == expected)
            #expect(request.by == V1.ActedBy(person: "olga", reason: "Spring"))
            return V1.SetProductResponse(product: request.product)
        }
    }

    private func setsModel(_ expected: V1.CatalogueModel) -> MethodRegistration {
        .unary(Methods.CatalogueService.setModel) { (request: V1.SetModelRequest, _) in
            #expect(request.model == expected)
            #expect(request.by == V1.ActedBy(person: "olga", reason: "Spring"))
            return V1.SetModelResponse(model: request.model)
        }
    }

    private func run(_ words: [String], against methods: [MethodRegistration]) async throws
        -> Outcome
    {
        try await CommandTest(variables: ["USER": "olga"])
            .run(["admin"] + words, against: methods)
    }

    @Test func productsAreListedWithThoseThatAreWithdrawn() async throws {
        var gone = Self.starter
        gone.key = "gone"
        gone.withdrawn = true
        gone.lifetimeDays = 0
        gone.models = []
        let list = products([Self.starter, gone])
        let outcome = try await run(["products", "list"], against: [list])
        #expect(
            outcome.lines == [
                "PRODUCT  STATE      PRICE  CREDITS       FOR  MODELS  PLACE  NAME     WHAT IT IS",
                "starter  on sale    ¥9.90       10  365 days  pro         4  Starter  Ten "
                    + "questions.",
                "gone     withdrawn  ¥9.90       10      ever              4  Starter  Ten "
                    + "questions.",
            ])
        let json = try await run(["products", "list", "--json"], against: [products([gone])])
        #expect(
            json.output
                == #"{"products":[{"key":"gone","withdrawn":true,"name":"Starter","#
                + #""summary":"Ten questions.","priceFen":990,"microCredits":10000000,"#
                + #""lifetimeDays":0,"models":[],"position":4}]}"# + "\n")
        let none = try await run(["products", "list"], against: [products([])])
        #expect(
            none.output
                == "There are no products yet. Make one with: tollgate admin products set\n")
    }

    @Test func whatIsNotNamedOfAProductStaysAsItIs() async throws {
        var wanted = Self.starter
        wanted.priceFen = 1_250
        wanted.models = ["pro", "fast"]
        wanted.lifetimeDays = 0
        let outcome = try await run(
            [
                "products", "set", "starter", "--price", "12.5", "--models", "pro, fast",
                "--days", "none", "--reason", "Spring",
            ], against: [products([Self.starter]), setsProduct(wanted)])
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.errors == "")
    }

    @Test func aNewProductIsLastInTheListAndOnSale() async throws {
        let wanted = V1.CatalogueProduct(
            key: "big", name: "Big", priceFen: 9_900, microCredits: 250_000, position: 5)
        let outcome = try await run(
            [
                "products", "set", "big", "--name", "Big", "--price", "99", "--credits", "0.25",
                "--reason", "Spring",
            ], against: [products([Self.starter]), setsProduct(wanted)])
        #expect(outcome.status == 0, "\(outcome.errors)")
        let less = try await run(
            ["products", "set", "big", "--price", "99", "--reason", "Spring"],
            against: [products([Self.starter])])
        #expect(less.status == 2)
        #expect(
            less.errors == "error: There is no product big yet.\n"
                + "A new one needs --name, --price and --credits.\n")
    }

    @Test func whatIsWithdrawnComesBackOnlyIfAskedFor() async throws {
        var gone = Self.starter
        gone.withdrawn = true
        gone.priceFen = 800
        let kept = try await run(
            ["products", "set", "starter", "--price", "8", "--reason", "Spring"],
            against: [products([gone]), setsProduct(gone)])
        #expect(kept.errors == "It stays withdrawn; --offer puts it on sale again.\n")
        var back = gone
        back.withdrawn = false
        let offered = try await run(
            ["products", "set", "starter", "--offer", "--reason", "Spring"],
            against: [products([gone]), setsProduct(back)])
        #expect(offered.status == 0)
        #expect(offered.errors == "")
    }

    @Test func modelsAreListedWithThoseThatAreWithdrawn() async throws {
        var fast = V1.CatalogueModel(
            name: "fast", pricePerCallMicroCredits: 1_000_000, maxTokens: 256, openToAll: true,
            position: 3)
        fast.withdrawn = true
        fast.channels = ["a", "b"]
        let outcome = try await run(
            ["models", "list"], against: [models([Self.pro, fast])])
        #expect(
            outcome.lines == [
                "MODEL  STATE      FOR        A CALL  1,000 PROMPT  1,000 ANSWER  MAX TOKENS  "
                    + "PLACE  CHANNELS  WHAT IT IS",
                "pro    offered    buyers          0           0.5           1.5       8,192  "
                    + "    2  -         Thinks.",
                "fast   withdrawn  everybody       1             0             0         256  "
                    + "    3  a, b",
            ])
        let json = try await run(["models", "list", "--json"], against: [models([Self.pro])])
        #expect(
            json.output
                == #"{"models":[{"name":"pro","withdrawn":false,"openToAll":false,"#
                + #""summary":"Thinks.","pricePerCallMicroCredits":0,"#
                + #""pricePerThousandPromptTokensMicroCredits":500000,"#
                + #""pricePerThousandCompletionTokensMicroCredits":1500000,"#
                + #""maxTokens":8192,"position":2,"channels":[]}]}"# + "\n")
    }

    @Test func aNewModelNeedsAPriceAndWhatIsNotNamedOfOneStays() async throws {
        let free = V1.CatalogueModel(
            name: "free", maxTokens: 4_096, openToAll: true, position: 3)
        let made = try await run(
            [
                "models", "set", "free", "--call-price", "0", "--for", "everybody", "--reason",
                "Spring",
            ], against: [models([Self.pro]), setsModel(free)])
        #expect(made.status == 0, "\(made.errors)")
        #expect(
            made.errors
                == "No channel answers it. Let one: tollgate admin channels set CHANNEL --model "
                + "free\n")
        let less = try await run(
            ["models", "set", "free", "--reason", "Spring"], against: [models([Self.pro])])
        #expect(less.status == 2)
        #expect(
            less.errors == "error: There is no model free yet.\n"
                + "A new one needs a price: --call-price, --prompt-price, --answer-price.\n")
        var changed = Self.pro
        changed.pricePerThousandCompletionTokensMicroCredits = 2_250_000
        changed.position = 0
        let outcome = try await run(
            [
                "models", "set", "pro", "--answer-price", "2.25", "--place", "0", "--reason",
                "Spring",
            ], against: [models([Self.pro]), setsModel(changed)])
        #expect(outcome.status == 0, "\(outcome.errors)")
    }

    @Test func whoWithdrawsAModelIsToldWhatIsStillSoldWithIt() async throws {
        var gone = Self.pro
        gone.withdrawn = true
        var off = Self.starter
        off.key = "off"
        off.withdrawn = true
        let withdrawn = gone
        let withdraw = MethodRegistration.unary(Methods.CatalogueService.withdrawModel) {
            (request: V1.WithdrawModelRequest, _) in
            #expect(
                request
                    == V1.WithdrawModelRequest(
                        by: V1.ActedBy(person: "olga", reason: "r"), name: "pro"))
            return V1.WithdrawModelResponse(model: withdrawn)
        }
        let outcome = try await run(
            ["models", "withdraw", "pro", "--reason", "r"],
            against: [withdraw, products([Self.starter, off])])
        #expect(outcome.status == 0)
        #expect(outcome.errors == "Still sold with it: starter\n")
    }

    @Test(arguments: [
        ["products", "set", "a", "--reason", "r", "--price", "9.905"],
        ["products", "set", "a", "--reason", "r", "--price", "0"],
        ["products", "set", "a", "--reason", "r", "--credits", "-1"],
        ["products", "set", "a", "--reason", "r", "--days", "0"],
        ["products", "set", "a", "--price", "1"], ["products", "withdraw", "a"],
        ["models", "set", "a", "--reason", "r", "--call-price", "a"],
        ["models", "set", "a", "--reason", "r", "--for", "nobody"],
        ["models", "set", "a", "--call-price", "1"], ["models", "withdraw", "a"],
    ])
    func aWrongOfferIsAUsageError(words: [String]) async throws {
        // No server is asked: it would have been told of a wrong offer, too.
        let list = MethodRegistration.unary(Methods.CatalogueService.listAllModels) {
            (_: V1.ListAllModelsRequest, _) in
            Issue.record("the server was asked")
            return V1.ListAllModelsResponse(models: [Self.pro])
        }
        let asked = MethodRegistration.unary(Methods.CatalogueService.listAllProducts) {
            (_: V1.ListAllProductsRequest, _) in
            Issue.record("the server was asked")
            return V1.ListAllProductsResponse(products: [Self.starter])
        }
        let outcome = try await run(words, against: [list, asked])
        #expect(outcome.status == 2)
    }
}
