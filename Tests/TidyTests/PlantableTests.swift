import Foundation
import Testing

/// The bugs of `Scripts/mutations` are planted by their text: code that moves on would take the
/// proof along that its tests notice something.
@Suite struct PlantableTests {
    @Test func `every planted bug still has its place`() throws {
        let python = "/usr/bin/python3"
        guard FileManager.default.isExecutableFile(atPath: python) else {
            skip("the check of planted bugs needs \(python)")
            return
        }
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: python)
        process.arguments = [SourceTree.projectTop + "/Scripts/mutations", "--check"]
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let said = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        #expect(process.terminationStatus == 0, "\n\(String(decoding: said, as: UTF8.self))")
    }
}
