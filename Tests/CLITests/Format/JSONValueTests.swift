import CLI
import Foundation
import Testing

@Suite("JSON that programs read")
struct JSONValueTests {
    @Test func keysKeepTheirOrderOnOneLine() {
        let value = JSONValue.object([
            ("zebra", .number(-1)), ("ant", .array([.bool(true), .bool(false), .text("x")])),
            ("none", .object([])), ("made", .raw("{\"a\":1}")),
        ])
        #expect(value.text == #"{"zebra":-1,"ant":[true,false,"x"],"none":{},"made":{"a":1}}"#)
    }

    @Test func everyScalarSurvivesAReader() throws {
        var scalars = String.UnicodeScalarView()
        for number in UInt32(0)...0x2_100 {
            if let scalar = Unicode.Scalar(number) { scalars.append(scalar) }
        }
        let text = String(scalars) + "\"\\/你好😀"
        let document = JSONValue.array([.text(text)]).text
        let back = try JSONDecoder().decode([String].self, from: Data(document.utf8))
        #expect(back.first.map { Array($0.unicodeScalars) } == Array(text.unicodeScalars))
        #expect(!document.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F })
    }

    @Test func aFailureIsOneDocument() {
        let failure = CommandFailure(
            code: "rate_limited", message: "Too many.", advice: "Wait.",
            retryAfterMilliseconds: 1_500)
        #expect(
            failure.json.text
                == #"{"error":{"code":"rate_limited","message":"Too many.","#
                + #""retryAfterMilliseconds":1500}}"#)
    }
}
