import Auth
import Testing

@Suite struct GuessSourceTests {
    /// Expected values: Python's `ipaddress.ip_network((address, 64), strict=False)`.
    @Test(arguments: [
        ("2001:db8:0:1::", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::/64"),
        ("2001:0DB8:0000:0001:0:0:0:9", "2001:db8:0:1::/64"),
        ("[2001:db8:0:1::9]", "2001:db8:0:1::/64"),
        ("2001:db8:0:2::9", "2001:db8:0:2::/64"),
        ("2001:db8::1:0:0:9", "2001:db8:0:0::/64"),
        ("::1", "0:0:0:0::/64"), ("::", "0:0:0:0::/64"),
        ("fe80::1%eth0", "fe80:0:0:0::/64"), ("fe80::2%eth1", "fe80:0:0:0::/64"),
        ("1:2:3:4:5:6:7::", "1:2:3:4::/64"), ("::2:3:4:5:6:7:8", "0:2:3:4::/64"),
        ("64:ff9b::192.0.2.1", "64:ff9b:0:0::/64"),
    ])
    func anAddressOfIPv6CountsForItsNetwork(address: String, counted: String) {
        #expect(GuessSource.counted(address) == counted)
    }

    @Test(arguments: [
        "::ffff:192.0.2.1", "::FFFF:c000:201", "0:0:0:0:0:ffff:192.0.2.1", "[::ffff:192.0.2.1]",
        "192.0.2.1",
    ])
    func anAddressOfIPv4IsOneHoweverWritten(address: String) {
        #expect(GuessSource.counted(address) == "192.0.2.1")
    }

    @Test(arguments: [
        "", "local", "oABC", ":", ":::", "1::2::3", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8::", "12345::", "::g", "::1.2.3", "::1.2.3.4.5", "::1.2.3.256", "::+1",
        "1.2.3.4:80", "::1.2.3.4:5", ":1::2", "1::2:", "::ffff:1.2.3.+4", "1.2.3.4::",
        String(repeating: "1:", count: 100),
    ])
    func whatIsNoAddressStaysWhatItIs(text: String) {
        #expect(GuessSource.counted(text) == text)
    }
}
