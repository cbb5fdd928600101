import Glibc
import NIOCore
import NIOPosix
import TollgateKernel

extension ServerBootstrap {
    /// Has the kernel find out that a peer is dead or takes nothing (tcp(7)).
    func deadPeersGivenUp() -> ServerBootstrap {
        childChannelOption(.socketOption(.so_keepalive), value: 1)
            .childChannelOption(Self.tcp(TCP_KEEPIDLE), value: Limits.rpcKeepaliveIdleSeconds)
            .childChannelOption(
                Self.tcp(TCP_KEEPINTVL), value: Limits.rpcKeepaliveIntervalSeconds
            )
            .childChannelOption(Self.tcp(TCP_KEEPCNT), value: Limits.rpcKeepaliveProbes)
            .childChannelOption(
                Self.tcp(TCP_USER_TIMEOUT), value: Limits.rpcUserTimeoutMilliseconds)
    }

    private static func tcp(_ option: CInt) -> ChannelOptions.Types.SocketOption {
        ChannelOptions.Types.SocketOption(
            level: .tcp, name: NIOBSDSocket.Option(rawValue: option))
    }
}
