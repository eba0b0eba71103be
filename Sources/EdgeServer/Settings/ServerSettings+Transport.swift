import EdgeControl
import EdgeCore
import EdgeTransport
import Foundation
import Shared

/// A setting that the machine cannot fulfil.
struct SettingsProblem: Error, CustomStringConvertible {
    let description: String
}

extension ServerSettings {
    /// The part that the data plane reads.
    var transport: TransportSettings {
        var transport = TransportSettings()
        transport.loops = loops ?? max(1, ProcessInfo.processInfo.activeProcessorCount)
        transport.verifyUpstreamTLS = upstream.verifyTLS
        transport.handshakeTimeout = timeouts.tlsHandshake.milliseconds
        transport.requestHeadTimeout = timeouts.requestHead.milliseconds
        transport.bodyProgressTimeout = timeouts.bodyProgress.milliseconds
        transport.dialTimeout = timeouts.upstreamDial.milliseconds
        transport.firstByteTimeout = timeouts.firstByte.milliseconds
        transport.idleTimeout = timeouts.keepAlive.milliseconds
        transport.relayIdleTimeout = timeouts.upgradeIdle.milliseconds
        transport.maxConnections = limits.connections
        transport.maxHeadBytes = limits.headBytes
        transport.maxFields = limits.fields
        transport.queueHighWater = limits.queueBytes
        transport.maxStreams = UInt32(clamping: limits.h2Streams)
        transport.maxHandlerBody = limits.adminBodyBytes
        transport.largeHandlerBodies = ConfigurationOperations.largeBodies
        transport.idleUpstreams = upstream.idleConnections
        transport.upstreamIdleTimeout = upstream.idle.milliseconds
        transport.tcpAddresses = (tcp?.addresses ?? []).compactMap { IPAddress($0) }
        transport.tcpRegion = region
        return transport
    }

    /// Every listening socket, those that were passed to the process included.
    func transportListeners(_ sockets: [String: [Int32]]) throws(SettingsProblem) -> [ListenerSettings] {
        var all: [ListenerSettings] = []
        for listener in listeners {
            let kind: ListenerSettings.Kind =
                switch (listener.kind, listener.cleartext) {
                case (.https, _): .https
                case (.http, .redirect): .redirect
                case (.http, .serve): .cleartext
                }
            let region = listener.region ?? self.region
            switch listener.origin {
            case .bind(let addresses, let port):
                for text in addresses {
                    guard let address = IPAddress(text) else {
                        throw SettingsProblem(description: "line \(listener.line): '\(text)' is no address")
                    }
                    all.append(
                        ListenerSettings(
                            kind: kind, address: SocketAddress(address, port: port), region: region,
                            redirectPort: listener.redirectPort))
                }
            case .inherited(let name):
                guard let passed = sockets[name], !passed.isEmpty else {
                    throw SettingsProblem(description: "line \(listener.line): no socket named '\(name)' was passed")
                }
                for descriptor in passed {
                    all.append(
                        ListenerSettings(
                            kind: kind, address: SocketAddress(.unspecified, port: 0), region: region,
                            inherited: descriptor, redirectPort: listener.redirectPort))
                }
            }
        }
        return all
    }
}

extension ServerSettings.Agents {
    /// Where to listen, and the passed socket to use instead, if one is.
    func places(_ sockets: [String: [Int32]]) throws(SettingsProblem) -> [(address: SocketAddress, inherited: Int32?)] {
        var all: [(address: SocketAddress, inherited: Int32?)] = []
        for origin in origins {
            switch origin {
            case .bind(let addresses, let port):
                all += addresses.compactMap { IPAddress($0) }.map { (SocketAddress($0, port: port), nil) }
            case .inherited(let name):
                guard let passed = sockets[name], !passed.isEmpty else {
                    throw SettingsProblem(description: "agents.socket: no socket named '\(name)' was passed")
                }
                all += passed.map { (SocketAddress(.unspecified, port: 0), $0) }
            }
        }
        return all
    }
}

extension Duration {
    fileprivate var milliseconds: UInt64 { UInt64(max(0, nanoseconds) / 1_000_000) }
}
