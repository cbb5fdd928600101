import Application
import Chat
import Operations
import Orders
import TestSupport
import Testing
import TollgateKernel

@testable import Tollgate

/// What a start puts into the sandbox's store, and what it leaves alone.
@Suite struct CatalogueSeedTests {
    @Test func `What an operator withdrew does not come back with the next start`() async throws {
        try await TestBench.with { bench in
            let seed = CatalogueSeed.sandbox(
                base: "http://127.0.0.1:1", keys: ["a": "key-of-a", "b": "key-of-b"])
            try await seed.plant(in: bench.store, vault: bench.vault)
            #expect(
                try await bench.catalogue.snapshot().models.map(\.name.rawValue)
                    == ["demo-chat", "demo-pro"])
            let catalogue = CatalogueAdministration(bench.ports, vault: bench.vault)
            let by = ActedBy(
                credential: "admin", person: "olga", reason: "as agreed", correlationID: 1)
            for model in try await catalogue.models() {
                _ = try await catalogue.withdraw(model.name, by: by)
            }
            for product in try await catalogue.products() {
                _ = try await catalogue.withdraw(product.key, by: by)
            }
            try await seed.plant(in: bench.store, vault: bench.vault)
            #expect(try await catalogue.models().map(\.isEnabled) == [false, false])
            #expect(try await catalogue.products().map(\.isEnabled) == [false, false])
        }
    }
    @Test func `What an operator decided of a channel stays, its address follows the settings`()
        async throws
    {
        try await TestBench.with { bench in
            let keys = ["a": "key-of-a", "b": "key-of-b"]
            let seed = CatalogueSeed.sandbox(base: "http://127.0.0.1:1", keys: keys)
            try await seed.plant(in: bench.store, vault: bench.vault)
            let catalogue = CatalogueAdministration(bench.ports, vault: bench.vault)
            let by = ActedBy(
                credential: "admin", person: "olga", reason: "as agreed", correlationID: 1)
            let first = try #require(try await catalogue.channels().first)
            #expect(first.channel.baseURL == "http://127.0.0.1:1/openai/a/v1")
            _ = try await catalogue.setInUse(false, channel: first.channel.key, by: by)
            _ = try await catalogue.set(
                CatalogueAdministration.ChannelWish(
                    key: first.channel.key, kind: .openAICompatible,
                    baseURL: first.channel.baseURL, apiKey: nil, allowsPlain: false,
                    isInUse: false, offers: [first.offers[0]]), by: by)
            let moved = CatalogueSeed.sandbox(base: "http://127.0.0.1:2", keys: keys)
            try await moved.plant(in: bench.store, vault: bench.vault)
            let channels = try await catalogue.channels()
            #expect(channels.map(\.channel.isInUse) == [false, true])
            #expect(channels.map(\.offers.count) == [1, 2])
            #expect(
                channels.map(\.channel.baseURL)
                    == ["http://127.0.0.1:2/openai/a/v1", "http://127.0.0.1:2/openai/b/v1"])
        }
    }
}
