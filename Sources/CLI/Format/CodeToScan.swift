extension Console {
    /// Draws what is to be scanned with WeChat, or writes it where a drawing would not be seen as
    /// meant.
    func showCode(_ url: String, _ variables: [String: String]) {
        line()
        if let matrix = QRMatrix(encoding: url),
            QRDrawing.fits(matrix, sink: output, variables: variables)
        {
            for row in QRDrawing.lines(matrix, style: outputStyle) { line(row) }
            line("Scan it with WeChat, or open: \(TerminalText.line(url))")
        } else {
            line("Open this with WeChat, or make a QR code of it:")
            line(TerminalText.line(url))
        }
    }
}
