import EdgeCore
import Shared

/// An endpoint that an agent serves, as the list of endpoints has it.
public struct BoundEndpoint: Sendable {
    let endpoint: EphemeralEndpoint
    let tunnel: Tunnel
    let credentialID: String

    var id: String { endpoint.id }

    func render(in view: ConfigurationView) -> JSON {
        let url = endpoint.url
        let place = endpoint.reservation.map(view.reference) ?? .null
        return [
            "id": .string(id), "uri": .string("\(view.baseURL)/endpoints/\(id)"),
            "created_at": .string(tunnel.startedAt.text), "updated_at": .string(tunnel.startedAt.text),
            "description": "", "metadata": .string(tunnel.metadata), "region": .string(tunnel.region),
            "type": "ephemeral", "url": .string(url.text), "public_url": .string(url.text),
            "proto": .string(url.scheme.rawValue), "scheme": .string(url.scheme.rawValue),
            "hostport": .string(url.hostport), "host": .string(url.host), "port": .int(Int64(url.port)),
            "domain": url.scheme == .tcp ? nil : place, "tcp_addr": url.scheme == .tcp ? place : nil, "edge": nil,
            "tunnel": reference(tunnel.id, "tunnels", view),
            "tunnel_session": tunnel.sessionID.map { reference($0, "tunnel_sessions", view) } ?? .null,
            "principal": view.state[credentialID] == nil ? nil : view.reference(credentialID),
            "upstream_url": .string(tunnel.forwardsTo), "upstream_protocol": "", "name": "", "traffic_policy": "",
            "bindings": ["public"], "pooling_enabled": false,
        ]
    }

    private func reference(_ id: String, _ collection: String, _ view: ConfigurationView) -> JSON {
        ["id": .string(id), "uri": .string("\(view.baseURL)/\(collection)/\(id)")]
    }
}

extension TunnelDirectory {
    /// The part of a list that is about endpoints of agents, each once however many tunnels serve it.
    func endpoints(_ scope: ListScope) -> [BoundEndpoint] {
        var known: Set<String> = []
        var all = endpoints().filter { known.insert($0.id).inserted }[...]
        if let before = scope.before {
            guard let index = all.firstIndex(where: { $0.id == before }) else { return [] }
            all = all[(index + 1)...]
        }
        let ids = scope.choices["id"].map { Set($0) }
        let urls = scope.choices["url"].map { urls in
            Set(urls.map { (try? EndpointURL($0, isPublic: false))?.text ?? $0 })
        }
        return all.filter { endpoint in
            ids?.contains(endpoint.id) ?? true && urls?.contains(endpoint.endpoint.url.text) ?? true
        }
    }
}
