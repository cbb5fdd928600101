/// Every `package` and `public` declaration says what it is for.
enum DocumentationRule {
    /// Names whose meaning the standard library, SwiftNIO or another facade documents.
    private static let wellKnown: Set<String> = [
        "description", "debugDescription", "errorDescription", "rawValue", "init(rawValue:)",
        "hash(into:)", "hashValue", "encode(to:)", "init(from:)", "id", "allCases", "deinit",
        "makeAsyncIterator()", "makeIterator()", "next()", "next(isolation:)", "subscript(_:)",
        "Element", "AsyncIterator", "Iterator", "Failure", "RawValue", "ID", "startIndex",
        "endIndex", "index(after:)", "init(arrayLiteral:)", "init(stringLiteral:)",
        "init(dictionaryLiteral:)", "init(integerLiteral:)", "codingPath", "stringValue",
        // SwiftNIO's handlers and decoders.
        "InboundIn", "InboundOut", "OutboundIn", "OutboundOut", "handlerAdded(context:)",
        "handlerRemoved(context:)", "channelActive(context:)", "channelInactive(context:)",
        "channelRead(context:data:)", "channelReadComplete(context:)",
        "channelWritabilityChanged(context:)", "userInboundEventTriggered(context:event:)",
        "errorCaught(context:error:)", "write(context:data:promise:)", "flush(context:)",
        "close(context:mode:promise:)", "decode(buffer:)", "decodeLast(buffer:seenEOF:)",
        // The logging and metrics facades' handlers.
        "logLevel", "metadata", "metadataProvider", "log(event:)", "subscript(metadataKey:)",
        "makeCounter(label:dimensions:)", "makeFloatingPointCounter(label:dimensions:)",
        "makeMeter(label:dimensions:)", "makeRecorder(label:dimensions:aggregate:)",
        "makeTimer(label:dimensions:)", "destroyCounter(_:)", "destroyFloatingPointCounter(_:)",
        "destroyMeter(_:)", "destroyRecorder(_:)", "destroyTimer(_:)",
        // ServiceLifecycle's services, ArgumentParser's commands.
        "run()", "validate()", "configuration", "enqueue(_:)",
    ]

    /// What lacks a `///` line; `requirements` are the names that a protocol of ours documents.
    static func undocumented(_ file: SwiftFile, requirements: Set<String>) -> [Finding] {
        file.source.exposedDeclarations().filter { declaration in
            if declaration.isDocumented || wellKnown.contains(declaration.name) { return false }
            if isOperator(declaration) { return false }
            return declaration.isRequirement || !requirements.contains(declaration.name)
        }
        .map { file.finding($0.line, "\($0.keyword) \($0.name) has no /// line above it") }
    }

    /// An operator means what it always means, or it should not be one.
    private static func isOperator(_ declaration: Declaration) -> Bool {
        guard declaration.keyword == "func", let first = declaration.name.first else {
            return false
        }
        return !first.isLetter && first != "_" && first != "`"
    }
}
