internal import Testing

@testable internal import TollgateWire

@Test func `a login request survives the wire`() throws {
    let request = V1.LoginRequest(code: "K7QM-4T2X", source: "你好", device: "")
    let bytes = try request.encoded()
    #expect(bytes == [0x0a, 9] + Array("K7QM-4T2X".utf8) + [0x12, 6] + Array("你好".utf8))
    #expect(try V1.LoginRequest.decode(bytes) == request)
}
