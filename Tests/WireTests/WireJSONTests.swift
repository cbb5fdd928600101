import Testing

@testable import TollgateWire

/// Canonical proto3 JSON against texts written by hand from the specification.
@Suite struct WireJSONTests {
    static let known: [(message: Samples.Everything, json: String)] = [
        (Samples.Everything(), "{}"),
        (
            Samples.Everything(small: -1, large: .min),
            #"{"small":-1,"large":"-9223372036854775808"}"#
        ),
        (
            Samples.Everything(smallNatural: .max, largeNatural: .max, truth: true),
            #"{"smallNatural":4294967295,"largeNatural":"18446744073709551615","truth":true}"#
        ),
        (Samples.Everything(real: 1.5), #"{"real":1.5}"#),
        (Samples.Everything(real: 3), #"{"real":3}"#),
        (Samples.Everything(real: -.infinity), #"{"real":"-Infinity"}"#),
        (
            Samples.Everything(text: "a \"b\" \\ \u{1}\n/ 你好 😀"),
            #"{"text":"a \"b\" \\ \u0001\n/ 你好 😀"}"#
        ),
        (Samples.Everything(data: [0xfb, 0xff, 0xfe, 1]), #"{"data":"+//+AQ=="}"#),
        (Samples.Everything(standing: .lyingDown), #"{"standing":"STANDING_LYING_DOWN"}"#),
        (Samples.Everything(standing: .unrecognized(12)), #"{"standing":12}"#),
        (
            Samples.Everything(inner: .init(aB: 1, deepest: .init(names: ["x", ""]))),
            #"{"inner":{"aB":"1","deepest":{"names":["x",""]}}}"#
        ),
        (Samples.Everything(inner: .init()), #"{"inner":{}}"#),
        (
            Samples.Everything(
                smalls: [0, -5], truths: [false, true], inners: [.init(), .init(aB: 2)]),
            #"{"smalls":[0,-5],"truths":[false,true],"inners":[{},{"aB":"2"}]}"#
        ),
        (Samples.Everything(labels: ["b": "2", "a": ""]), #"{"labels":{"a":"","b":"2"}}"#),
        (Samples.Everything(event: .eventLarge(0)), #"{"eventLarge":"0"}"#),
        (Samples.Everything(number: 0, words: ""), #"{"number":"0","words":""}"#),
        (
            Samples.Everything(default: 1, in: "x", repeatURL2x: "y"),
            #"{"default":"1","in":"x","repeatURL2x":"y"}"#
        ),
    ]

    private let shape = Samples.Everything.descriptor

    @Test(arguments: known.indices) func `known texts, both ways`(index: Int) throws {
        let (message, json) = Self.known[index]
        #expect(try WireJSON.text(of: message.encoded(), as: shape) == json)
        #expect(try Samples.Everything.decode(WireJSON.bytes(of: json, as: shape)) == message)
    }

    @Test(arguments: [
        (#" { "small" : "7" } "#, Samples.Everything(small: 7)),
        (#"{"small":5.0,"large":1e3}"#, Samples.Everything(small: 5, large: 1_000)),
        (#"{"small_natural":1}"#, Samples.Everything(smallNatural: 1)),
        (#"{"text":null,"smalls":null,"event_small":null}"#, Samples.Everything()),
        (
            #"{"text":"\u4f60\ud83d\ude00\/\b\f\r\t"}"#,
            Samples.Everything(text: "你😀/\u{8}\u{c}\r\t")
        ),
        (#"{"data":"-_8"}"#, Samples.Everything(data: [0xfb, 0xff])),
        (#"{"standing":7}"#, Samples.Everything(standing: .lyingDown)),
        (#"{"real":"1.25"}"#, Samples.Everything(real: 1.25)),
        (#"{"real":-1.5E-3}"#, Samples.Everything(real: -0.0015)),
        (#"{"smalls":[],"labels":{}}"#, Samples.Everything()),
    ])
    func `other spellings are read`(json: String, message: Samples.Everything) throws {
        #expect(try Samples.Everything.decode(WireJSON.bytes(of: json, as: shape)) == message)
    }

    @Test(arguments: [
        ("", "expected an object"), ("[]", "expected an object"), ("{", "expected \""),
        ("{}x", "expected the end"), (#"{"small":1,}"#, "expected \""),
        (#"{"colour":1}"#, "colour: tollgate.samples.Everything has no such field"),
        (#"{"inner":{"colour":1}}"#, "inner.colour: tollgate.samples.Everything.InnerThing has no"),
        (#"{"small":1,"small":2}"#, "small: the field is given twice"),
        (#"{"eventSmall":1,"eventText":"x"}"#, "eventText: another field of the same oneof"),
        (#"{"small":2147483648}"#, "small: 2147483648 is no whole number of 32 bits"),
        (#"{"small":1.5}"#, "small: 1.5 is no whole number"), (#"{"small":01}"#, "expected }"),
        (#"{"smallNatural":-1}"#, "smallNatural: -1 is no whole number"),
        (#"{"small":"+1"}"#, "small: +1 is no number"),
        (#"{"small":true}"#, "small: expected a number"), (#"{"real":1e999}"#, "is no number"),
        (#"{"small":"NaN"}"#, "small: NaN is no whole number"),
        (#"{"real":"inf"}"#, "inf is no number"),
        (#"{"large":"1 "}"#, "large: 1  is no number"), (#"{"large":""}"#, "large:  is no number"),
        (#"{"real":"0x10"}"#, "real: 0x10 is no number"), (#"{"real":.5}"#, "expected a number"),
        (#"{"truth":1}"#, "truth: expected true or false"),
        (#"{"text":1}"#, "text: expected a text"),
        (#"{"text":"\u0000"}"#, "text: holds a NUL"), (#"{"text":"\ud83d"}"#, "surrogate"),
        (#"{"text":"\udc00"}"#, "surrogate"), (#"{"text":"\x"}"#, "no such escape"),
        (#"{"text":"\u00g0"}"#, "no hexadecimal digit"), (#"{"text":"a"#, "cut off"),
        ("{\"text\":\"a\nb\"}", "control character"), (#"{"data":"a"}"#, "data: expected base64"),
        (#"{"data":"//9="}"#, "data: expected base64"),
        (#"{"standing":"UP"}"#, "UP is no value of"),
        (#"{"smalls":[1,null]}"#, "smalls[1]: expected a number"), (#"{"smalls":1}"#, "an array"),
        (#"{"labels":{"a":"1","a":"2"}}"#, "the key a stands twice"),
        (#"{"inners":[{"aB":"x"}]}"#, "inners[0].aB: x is no number"),
    ])
    func `what is wrong is refused with its place`(json: String, reason: String) {
        let error = #expect(throws: WireError.self) { try WireJSON.bytes(of: json, as: shape) }
        #expect(
            error?.description.contains(reason) == true, "\(json): \(String(describing: error))")
    }

    @Test func `a document is one harmless line on a terminal`() throws {
        let message = Samples.Everything(text: "\u{1B}\u{7F}\u{9B}2J\u{2028}é")
        let json = try WireJSON.text(of: message.encoded(), as: shape)
        #expect(json.contains(#""\u001b\u007f\u009b2J\u2028é""#))
        #expect(try Samples.Everything.decode(WireJSON.bytes(of: json, as: shape)) == message)
    }

    @Test func `a deep text is refused without recursion`() {
        let json = #"{"inner":"# + String(repeating: "[", count: 1_000_000)
        #expect(throws: WireError.self) { try WireJSON.bytes(of: json, as: shape) }
    }

    @Test func `sizes beyond 8 MiB are refused both ways`() {
        let limit = 8 * 1_024 * 1_024
        #expect(throws: WireError.tooLarge(limitBytes: limit)) {
            try WireJSON.bytes(of: String(repeating: " ", count: limit + 1), as: shape)
        }
        #expect(throws: WireError.tooLarge(limitBytes: limit)) {
            try WireJSON.text(of: [UInt8](repeating: 0, count: limit + 1), as: shape)
        }
    }
}
