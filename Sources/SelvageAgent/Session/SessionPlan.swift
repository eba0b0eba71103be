import EdgeCore
import EdgeTransport
import EdgeTunnel
import Foundation
import Shared

/// What every session of an agent begins with: files are read once, so that one that is gone later does not fail a
/// reconnect.
struct SessionPlan: Sendable {
    let settings: AgentSettings
    let specs: [TunnelSpec]
    let trust: TLSTrust
    /// As they are the first time.
    let tunnels: [AgentTunnel]

    init(
        _ settings: AgentSettings, _ specs: [TunnelSpec], serve: TunnelRunner.Serve?
    ) throws(AgentFailure) {
        self.settings = settings
        self.specs = specs
        do throws(AgentFault) {
            trust = try Self.trust(settings.trust)
            var tunnels: [AgentTunnel] = []
            for spec in specs { tunnels.append(try Self.tunnel(spec, serve)) }
            self.tunnels = tunnels
        } catch {
            throw .cannotRun(error.message)
        }
    }

    private static func tunnel(_ spec: TunnelSpec, _ serve: TunnelRunner.Serve?) throws(AgentFault) -> AgentTunnel {
        var document = try spec.request(files: read)
        // Operators see which program serves, as official agents show it.
        if serve != nil { document["ForwardsTo"] = .string("app://\(ProcessInfo.processInfo.processName)") }
        let request: AgentTunnel.Request =
            if case .labelled = spec.kind { .labelled(document) } else { .endpoint(document) }
        let use: AgentTunnel.Use = if let serve { .serve(serve) } else { .forward(try upstream(spec)) }
        return AgentTunnel(request, use, certificate: try certificate(spec.termination))
    }

    private static func upstream(_ spec: TunnelSpec) throws(AgentFault) -> AgentUpstream {
        let usesTLS = spec.upstream.scheme.usesTLS
        let trust: TLSTrust? = usesTLS ? try spec.verification.trust.map(trust) ?? .anyone : nil
        let protocols = spec.forwardsProto == .http2 ? ["h2", "http/1.1"] : []
        do {
            switch spec.upstream.place {
            case .network(let host, let port):
                return try AgentUpstream(
                    host: host, port: port, trust: trust, serverName: spec.verification.serverName,
                    protocols: protocols)
            case .unix(let path):
                return try AgentUpstream(
                    host: path, port: 0, trust: trust, serverName: spec.verification.serverName,
                    protocols: protocols)
            }
        } catch {
            throw AgentFault("the authorities for \(spec.upstream) cannot be used: \(error)")
        }
    }

    private static func certificate(_ termination: TunnelSpec.Termination) throws(AgentFault) -> HandlerCertificate? {
        guard case .agent(let files) = termination else { return nil }
        let material = CertificateMaterial(
            id: "cert_agent", chainPEM: try text(files.certificate), keyPEM: try text(files.key))
        do { return try HandlerCertificate(material) } catch {
            throw AgentFault("the certificate in \(files.certificate) cannot be used: \(error)")
        }
    }

    static func trust(_ trust: Trust) throws(AgentFault) -> TLSTrust {
        switch trust {
        case .system: .system
        case .file(let path): .authorities(pem: try text(path))
        case .insecure: .anyone
        }
    }

    private static func text(_ path: String) throws(AgentFault) -> String {
        String(decoding: try read(path), as: UTF8.self)
    }

    @Sendable private static func read(_ path: String) throws(AgentFault) -> [UInt8] {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw AgentFault("\(path) cannot be read")
        }
        return Array(bytes)
    }

    /// Who the agent is.
    /// - Parameters: `session`, `cookie`: of the session to take up again; empty the first time.
    func auth(session: String, cookie: String) -> AuthRequest {
        var request = AuthRequest()
        request.clientID = session
        request.cookie = cookie
        request.authtoken = settings.authtoken.secret
        request.os = "linux"
        #if arch(arm64)
            request.arch = "arm64"
        #else
            request.arch = "x86_64"
        #endif
        request.agentVersion = AgentVersion.current
        request.clientType = AgentVersion.name
        request.userAgent = "\(AgentVersion.name)/\(AgentVersion.current)"
        request.metadata = settings.metadata
        request.heartbeatInterval = settings.heartbeatInterval.nanoseconds
        request.heartbeatTolerance = settings.heartbeatTolerance.nanoseconds
        request.stopUnsupported = ""
        request.restartUnsupported = ""
        request.updateUnsupported = "this agent is updated by whoever installed it"
        request.extension = Extension()
        return request
    }
}
