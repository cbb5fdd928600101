import Chat
import Testing
import TollgateKernel

@Suite struct ChannelTests {
    @Test(
        arguments: [
            ("https://api.openai.com/v1", false), ("https://api.openai.com", false),
            ("https://10.0.0.1:8443/v1", false), ("http://127.0.0.1:7490/openai/a/v1", false),
            ("http://127.9.9.9", false), ("http://localhost:8000/v1", false),
            ("http://[::1]:8000/v1", false), ("https://[2001:db8::1]/v1", false),
            ("http://api.example/v1", true), ("http://10.0.0.1/v1", true),
            // What begins like this machine may lead anywhere.
            ("http://127.example.com/v1", true), ("http://127.0.0.1.example/v1", true),
            ("http://localhost.example/v1", true), ("http://[::2]/v1", true),
            ("http://127.0.0.256/v1", true), ("http://127.0.0.+1/v1", true),
            ("http://127.0.0.-0/v1", true),
            ("http://128.0.0.1/v1", true), ("http://LOCALHOST/v1", true),
        ])
    func anAddressSaysWhetherAKeyCanBeReadOnItsWay(text: String, isExposed: Bool) {
        #expect(ProviderAddress(text)?.isExposed == isExposed)
    }

    @Test(arguments: [
        "", "api.openai.com/v1", "ftp://api.openai.com", "HTTPS://api.openai.com", "https://",
        "https:///v1", "https://api.openai.com/", "https://api.openai.com/v1/",
        "https://name:secret@api.openai.com/v1", "https://name@api.openai.com/v1",
        "https://api.openai.com/v1?key=secret",
        "https://api.openai.com/v1#a", "https://api openai.com", "https://api.openai.com\n/v1",
        "https://api.openai.com:/v1", "https://api.openai.com:0/v1",
        "https://api.openai.com:65536/v1", "https://api.openai.com:+80/v1", "https://[::1/v1",
        "https://[::1]x/v1",
        "https://例.com", "https://api.openai.com\\v1",
        "https://" + String(repeating: "a", count: 248),
    ])
    func whatIsNoAddressIsRefused(text: String) {
        #expect(ProviderAddress(text) == nil)
    }

    @Test func theLongestAddressIsTaken() {
        #expect(ProviderAddress("https://" + String(repeating: "a", count: 247)) != nil)
    }
}
