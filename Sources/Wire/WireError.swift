/// Why bytes or JSON could not become a message, or a message could not become bytes.
public enum WireError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The input is not a message of the expected type; the sentence says where and why.
    case malformed(String)

    /// Reading the input would take more memory than `limitBytes`.
    case tooLarge(limitBytes: Int)

    /// The value has no form on the wire, such as a string with a NUL in it.
    case unencodable(String)

    /// One sentence for a person.
    public var description: String {
        switch self {
        case .malformed(let reason): "The message is malformed: \(reason)."
        case .tooLarge(let limit): "The message needs more than \(limit) bytes of memory to read."
        case .unencodable(let reason): "The message cannot be sent: \(reason)."
        }
    }

    /// The transport's number for it: EREQUEST (1003) for what was received, EINTERNAL (2001) for
    /// what was to be sent (rpc-wire, errors).
    package var wireCode: Int32 {
        switch self {
        case .malformed, .tooLarge: 1_003
        case .unencodable: 2_001
        }
    }
}
