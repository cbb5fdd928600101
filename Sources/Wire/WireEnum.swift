/// An enum of the contract, which keeps numbers that this version does not know.
public protocol WireEnum: RawRepresentable, Hashable, Sendable where RawValue == Int32 {
    /// The value with this number; unknown numbers are kept.
    init(rawValue: Int32)

    /// The names and numbers.
    static var descriptor: EnumDescriptor { get }
}
