extension Limits {
    /// Metric names of one process: ours are about a hundred; more means a name made from data.
    package static let metricFamilies = 500

    /// Label sets under one metric name: models × channels × codes fit; a label made from ids does
    /// not, and ends in one series marked `other`.
    package static let metricSeriesPerFamily = 200

    /// Bytes of a label's value: the longest model name is 64 characters.
    package static let metricLabelBytes = 128

    /// Bytes of a log entry's message: a sentence, or an upstream's complaint.
    package static let logMessageBytes = 1_024

    /// Bytes of one value beside it: an id, an address, a short error.
    package static let logValueBytes = 256

    /// Bytes of a whole log line: Linux writes up to 4,096 into a pipe in one piece (PIPE_BUF), so
    /// that lines of several threads never mix and no lock is needed.
    package static let logLineBytes = 4_000
}
