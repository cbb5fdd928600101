import CLI
import Testing

@Suite("QR codes in the terminal")
struct QRTests {
    private let plain = Style(isColoured: false)
    private let coloured = Style(isColoured: true)

    private func known() throws -> QRMatrix {
        try #require(
            QRMatrix(
                size: 3,
                modules: [
                    true, true, true,
                    false, true, false,
                    true, false, true,
                ]))
    }

    @Test func aKnownMatrixIsDrawnWithHalfBlocks() throws {
        // Four modules of white around it; without colours the light modules are drawn.
        #expect(
            QRDrawing.lines(try known(), style: plain) == [
                "███████████",
                "███████████",
                "████▄ ▄████",
                "████▄█▄████",
                "███████████",
                "███████████",
            ])
    }

    @Test func withColoursItIsBlackOnWhite() throws {
        let lines = QRDrawing.lines(try known(), style: coloured)
        let ink = lines.map {
            $0.replacing("\u{1B}[38;5;16;48;5;231m", with: "").replacing("\u{1B}[0m", with: "")
        }
        #expect(
            ink == [
                "           ", "           ", "    ▀█▀    ", "    ▀ ▀    ", "           ",
                "           ",
            ])
        #expect(lines.allSatisfy { $0.hasPrefix("\u{1B}[38;5;16;48;5;231m") })
    }

    @Test func anEncodedTextHasTheMarksOfAQRCode() throws {
        let matrix = try #require(QRMatrix(encoding: "weixin://wxpay/bizpayurl?pr=a1B2c3D"))
        #expect((matrix.size - 17).isMultiple(of: 4))
        // ISO/IEC 18004, 6.3.3: finder patterns in three corners.
        let far = matrix.size - 7
        for (top, left) in [(0, 0), (0, far), (far, 0)] {
            for row in 0..<7 {
                for column in 0..<7 {
                    let ring = min(row, column, 6 - row, 6 - column)
                    #expect(
                        matrix.isDark(row: top + row, column: left + column) == (ring != 1))
                }
            }
        }
        // 6.3.5: timing patterns between them.
        for place in 8..<far {
            #expect(matrix.isDark(row: 6, column: place) == place.isMultiple(of: 2))
            #expect(matrix.isDark(row: place, column: 6) == place.isMultiple(of: 2))
        }
        #expect(matrix.isDark(row: matrix.size - 8, column: 8))
        #expect(!matrix.isDark(row: -1, column: 0))
    }

    @Test func aLongerTextNeedsALargerCode() throws {
        let short = try #require(QRMatrix(encoding: "a"))
        let long = try #require(QRMatrix(encoding: String(repeating: "a", count: 500)))
        #expect(short.size == 21)
        #expect(long.size > short.size)
    }

    @Test(arguments: ["", "a\u{0}b", String(repeating: "x", count: 5_000)])
    func whatHasNoCodeGivesNone(text: String) {
        #expect(QRMatrix(encoding: text) == nil)
    }

    @Test func aNarrowTerminalOrAnotherLocaleGetsText() throws {
        let matrix = try #require(QRMatrix(encoding: "a"))
        let needed = QRDrawing.extent(matrix).columns
        func fits(_ sink: CapturedText, _ variables: [String: String] = [:]) -> Bool {
            QRDrawing.fits(matrix, sink: sink, variables: variables)
        }
        #expect(needed == 29)
        #expect(fits(CapturedText(isTerminal: true, columns: needed)))
        #expect(!fits(CapturedText(isTerminal: true, columns: needed - 1)))
        #expect(fits(CapturedText(isTerminal: true, columns: nil)))
        let terminal = CapturedText(isTerminal: true, columns: 80)
        #expect(!fits(terminal, ["LANG": "C"]))
        #expect(fits(terminal, ["LC_ALL": "", "LANG": "zh_CN.UTF-8"]))
        #expect(!fits(terminal, ["LC_ALL": "POSIX", "LANG": "zh_CN.UTF-8"]))
        #expect(fits(CapturedText(isTerminal: false), ["LANG": "C"]))
    }
}
