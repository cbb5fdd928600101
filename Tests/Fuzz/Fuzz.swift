import FuzzTargets

/// libFuzzer's entry: `make fuzz` builds it with the sanitizer's coverage.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    FuzzTargets.run(UnsafeRawBufferPointer(start: start, count: count))
    return 0
}
