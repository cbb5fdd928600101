import TollgateClient

/// What stands behind a `tollgate_client`.
final class ClientHandle: Sendable {
    let client: TollgateClient
    private let watching: Task<Void, Never>

    init(addresses: String, credential: String?) throws {
        let client = try TollgateClient(.init(address: addresses, credential: credential))
        self.client = client
        watching = BlockingCall.start { await client.run() }
    }

    /// The handle as C holds it: retained until ``take(_:)``.
    var pointer: OpaquePointer { OpaquePointer(Unmanaged.passRetained(self).toOpaque()) }

    /// The handle behind C's pointer; nil for NULL.
    static func from(_ pointer: OpaquePointer?) -> ClientHandle? {
        pointer.map {
            Unmanaged<ClientHandle>.fromOpaque(UnsafeRawPointer($0)).takeUnretainedValue()
        }
    }

    /// Takes the handle back from C.
    static func take(_ pointer: OpaquePointer?) -> ClientHandle? {
        pointer.map {
            Unmanaged<ClientHandle>.fromOpaque(UnsafeRawPointer($0)).takeRetainedValue()
        }
    }

    /// Ends every call and connection, and the task that watches the addresses.
    func close() async {
        await client.close()
        watching.cancel()
        await watching.value
    }
}
