import Foundation
import Glibc

/// Sockets of this process whose other end is at a port of this machine.
func sockets(connectedTo port: Int) throws -> Int { try sockets(at: port, getpeername) }

/// Sockets of this process with either end at a port of this machine.
func sockets(at port: Int) throws -> Int {
    try sockets(at: port, getpeername) + sockets(at: port, getsockname)
}

private func sockets(
    at port: Int,
    _ name: (CInt, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> CInt
) throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count { entry in
        guard let descriptor = CInt(entry) else { return false }
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                name(descriptor, $0, &length)
            }
        }
        return status == 0 && address.sin_family == sa_family_t(AF_INET)
            && Int(UInt16(bigEndian: address.sin_port)) == port
    }
}
