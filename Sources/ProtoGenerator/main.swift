// A plugin of protoc: reads a CodeGeneratorRequest from standard input and writes the files of the
// contract in Swift, or the reason why it cannot, to standard output. See Scripts/proto.

internal import Glibc

let input = StandardStreams.readAll()
let output: [UInt8]
if let (contract, parameter) = RequestReading.read(input) {
    if let target = Target.named(parameter) {
        let refusals = Rules.refusals(of: contract, package: target.package)
        output =
            refusals.isEmpty
            ? ResponseWriting.bytes(of: Generator(contract: contract, target: target).files())
            : ResponseWriting.bytes(refusing: refusals.joined(separator: "\n"))
    } else {
        output = ResponseWriting.bytes(refusing: "the parameter \(parameter) is not known")
    }
} else {
    output = ResponseWriting.bytes(refusing: "the request is not a CodeGeneratorRequest")
}
exit(StandardStreams.write(output) ? 0 : 1)
