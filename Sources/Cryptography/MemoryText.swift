internal import COpenSSL
internal import TollgateKernel

/// An OpenSSL memory stream: what its PEM functions read from and write to.
struct MemoryText: ~Copyable {
    let pointer: OpaquePointer

    /// An empty stream to write to.
    init() throws(CryptographyError) {
        guard let pointer = BIO_new(BIO_s_mem()) else { throw .takingQueue("BIO_new") }
        self.pointer = pointer
    }

    /// A stream to read a text from.
    init(_ text: String) throws(CryptographyError) {
        let bytes = Array(text.utf8)
        guard bytes.count <= Limits.pemBytes else { throw .unsuitableLength }
        guard let pointer = BIO_new(BIO_s_mem()) else { throw .takingQueue("BIO_new") }
        guard bytes.isEmpty || BIO_write(pointer, bytes, Int32(bytes.count)) == Int32(bytes.count)
        else {
            BIO_free(pointer)
            throw .takingQueue("BIO_write")
        }
        self.pointer = pointer
    }

    deinit { BIO_free(pointer) }

    /// Everything written so far.
    func contents() throws(CryptographyError) -> String {
        var bytes = [UInt8](repeating: 0, count: BIO_ctrl_pending(pointer))
        let length = bytes.isEmpty ? 0 : BIO_read(pointer, &bytes, Int32(bytes.count))
        guard length == Int32(bytes.count) else { throw .takingQueue("BIO_read") }
        return String(decoding: bytes, as: UTF8.self)
    }
}
