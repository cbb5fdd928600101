import Testing
import TollgateKernel

@testable import Gateways

struct JSONTests {
    @Test(arguments: [
        #"{}"#, #"[]"#, #""a""#, #"0"#, #"-1"#, #"true"#, #"false"#, #"null"#,
        #"{"a":[1,2,{"b":"c"}],"d":null,"":"leer"}"#, #"["\"\\\n\r\t\u0001"]"#,
        #"[9223372036854775807,-9223372036854775808]"#,
    ])
    func `a text without white space is written as it was read`(text: String) throws {
        let value = try JSONValue(parsing: Array(text.utf8))
        #expect(String(decoding: value.encoded(), as: UTF8.self) == text)
    }

    @Test
    func `escapes and white space are read`() throws {
        let value = try JSONValue(
            parsing: Array(" \n{ \"\\u4f60\\n\" : \"\\ud83d\\ude00\\/\\b\\f\" }\t\r".utf8))
        #expect(value["你\n"]?.text == "😀/\u{8}\u{c}")
    }

    @Test(arguments: [#""\ud83d""#, #""\ude00""#, #""\ud83dx""#, #""\ud83d\u0041""#])
    func `half a surrogate pair becomes the replacement character`(text: String) throws {
        let value = try JSONValue(parsing: Array(text.utf8))
        #expect(value.text?.hasPrefix("\u{fffd}") == true)
        #expect(value.text?.unicodeScalars.count == (text.utf8.count > 8 ? 2 : 1))
    }

    @Test(arguments: [
        "", " ", "{", "}", "[", "[1", "[1,", "[1,]", "[,1]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}",
        "{,\"a\":1}", "{a:1}", "{'a':1}", "01", "-", "+1", "1.", ".5", "1e", "1e+", "0x1", "NaN",
        "nul", "nulll", "tru", "True", "\"", "\"a", "\"\\", "\"\\x\"", "\"\\u12\"", "\"\\u12g4\"",
        "\"\u{1}\"", "1 2", "{} {}", "[1 2]", "{\"a\":1 \"b\":2}", "\u{feff}{}", "[1}", "{\"a\":1]",
        "-01", "1.e5",
    ])
    func `what is no JSON is refused, read or passed over`(text: String) {
        #expect(throws: JSONError.self) { try JSONValue(parsing: Array(text.utf8)) }
        #expect(throws: JSONError.self) {
            var scanner = JSONScanner(Array(text.utf8))
            try scanner.skip()
            try scanner.end()
        }
    }

    @Test
    func `bytes that are no UTF-8 are refused in strings`() {
        for bytes in [
            [0x22, 0xff, 0x22], [0x22, 0xc0, 0x80, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22],
        ]
            as [[UInt8]]
        {
            #expect(throws: JSONError.self) { try JSONValue(parsing: bytes) }
        }
    }

    @Test(arguments: ["1.0", "1e2", "-0", "9223372036854775808", "-9223372036854775809", "1E400"])
    func `numbers that are no 64-bit integers are never rounded into one`(text: String) throws {
        let value = try JSONValue(parsing: Array(text.utf8))
        #expect(value == .otherNumber(text))
        #expect(value.integer == nil)
    }

    @Test
    func `the same member twice is refused, even when escaped`() {
        #expect(throws: JSONError.duplicateMember("a")) {
            try JSONValue(parsing: Array(#"{"a":1,"b":{"a":1},"\u0061":2}"#.utf8))
        }
    }

    @Test
    func `depth and number of values are bounded`() throws {
        let deep = Limits.jsonDepth
        func nested(_ depth: Int) -> [UInt8] {
            Array(
                (String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
        }
        _ = try JSONValue(parsing: nested(deep))
        #expect(throws: JSONError.tooLarge) { try JSONValue(parsing: nested(deep + 1)) }
        #expect(throws: JSONError.tooLarge) {
            var scanner = JSONScanner(nested(100_000))
            try scanner.skip()
        }
        let many = "[" + String(repeating: "1,", count: Limits.jsonValues) + "1]"
        #expect(throws: JSONError.tooLarge) { try JSONValue(parsing: Array(many.utf8)) }
    }

    @Test
    func `every cut and every changed byte of a text ends in a value or an error`() {
        let text = Array(#"{"a":[1,-2.5e3,"x\u00e9\n"],"b":{"c":true,"d":null},"e":"你"}"#.utf8)
        for end in 0..<text.count {
            #expect(throws: JSONError.self) { try JSONValue(parsing: Array(text[..<end])) }
        }
        var refused = 0
        for place in text.indices {
            for byte in UInt8.min...UInt8.max {
                var changed = text
                changed[place] = byte
                do {
                    _ = try JSONValue(parsing: changed)
                } catch {
                    refused += 1
                }
            }
        }
        #expect(refused > text.count * 100)
    }
}

struct DatesTests {
    @Test(
        arguments: [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777), ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
            ("Tue, 29 Feb 2000 12:00:00 GMT", 951_825_600),
        ] as [(String, Int64)])
    func `dates of HTTP are read`(text: String, seconds: Int64) {
        #expect(Dates.parseHTTP(text) == Timestamp(seconds: seconds))
    }

    @Test(arguments: [
        "", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 PST",
        "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 24:49:37 GMT",
        "Sun, 6 Nov 1994 08:49:37 GMT",
    ])
    func `other dates are refused`(text: String) { #expect(Dates.parseHTTP(text) == nil) }

    @Test(
        arguments: [
            ("2026-01-01T10:34:56+08:00", 1_767_234_896), ("2026-01-01T02:34:56Z", 1_767_234_896),
            ("2025-12-31T21:34:56.789-05:00", 1_767_234_896),
        ] as [(String, Int64)])
    func `dates of RFC 3339 are read in every zone`(text: String, seconds: Int64) {
        #expect(Dates.parseRFC3339(text) == Timestamp(seconds: seconds))
    }

    @Test(arguments: [
        "", "2026-01-01", "2026-01-01T10:34:56", "2026-13-01T10:34:56Z", "2026-02-29T10:34:56Z",
        "2026-01-01T10:34:56+0800", "2026-01-01T10:34:56+08:00x", "2026-01-01 10:34:56+08:00",
        "2026-01-01T10:34:56.Z", "2026-01-01T10:34:56?08:00",
    ])
    func `other texts are no dates`(text: String) { #expect(Dates.parseRFC3339(text) == nil) }

    @Test
    func `a moment survives being written for WeChat Pay`() {
        for seconds in stride(from: Int64(0), to: 4_000_000_000, by: 8_640_123) {
            let moment = Timestamp(seconds: seconds)
            #expect(Dates.parseRFC3339(Dates.shanghaiRFC3339(moment)) == moment)
        }
        #expect(
            Dates.shanghaiRFC3339(Timestamp(seconds: 1_767_234_896)) == "2026-01-01T10:34:56+08:00")
    }
}
