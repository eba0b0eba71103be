import EdgeCore
import Shared

/// `/tunnels` and `/tunnel_sessions`: lists and reads of what the directory of agents says, and requests to agents.
struct TunnelOperations: Sendable {
    private let directory: any TunnelDirectory

    init(_ directory: any TunnelDirectory) { self.directory = directory }

    private static let reference = Schema.nullable(.object(.reference))

    static let session = Shape(
        "TunnelSession",
        [
            Shape.Field("id", .text), Shape.Field("uri", .text), Shape.Field("agent_version", .text),
            Shape.Field("credential", reference), Shape.Field("ip", .text), Shape.Field("metadata", .text),
            Shape.Field("os", .text), Shape.Field("region", .text), Shape.Field("started_at", .time),
            Shape.Field("transport", .text),
        ])
    static let tunnel = Shape(
        "Tunnel",
        [
            Shape.Field("id", .text), Shape.Field("public_url", .text), Shape.Field("started_at", .time),
            Shape.Field("metadata", .text), Shape.Field("proto", .text), Shape.Field("region", .text),
            Shape.Field("tunnel_session", reference), Shape.Field("endpoint", reference),
            Shape.Field("labels", .map(.text)), Shape.Field("backends", .list(.object(.reference))),
            Shape.Field("forwards_to", .text),
        ])

    var lists: [ListOperation] {
        [
            ListOperation("/tunnels", key: "tunnels", of: Self.tunnel) { view, scope in
                Self.page(directory.tunnels(), \.id, scope) { Self.render($0, view) }
            },
            ListOperation("/tunnel_sessions", key: "tunnel_sessions", of: Self.session, takesFilter: true) {
                view, scope in
                Self.page(directory.sessions(), \.id, scope) { Self.render($0, view) }
            },
        ]
    }

    /// What comes after the element that the scope names; when that is gone, what has a lesser identifier.
    private static func page<Element: Sendable>(
        _ all: [Element], _ id: (Element) -> String, _ scope: ListScope, render: @escaping (Element) -> JSON
    ) -> AnySequence<ListElement> {
        var rest = all[...]
        if let before = scope.before {
            if let index = all.firstIndex(where: { id($0) == before }) {
                rest = all[(index + 1)...]
            } else {
                rest = all.filter { id($0) < before }[...]
            }
        }
        let elements = rest.map { element in ListElement(id: id(element)) { render(element) } }
        return AnySequence(elements)
    }

    var reads: [ReadOperation] {
        [
            ReadOperation(path: "/tunnels/{id}", about: .read("Reads one tunnel.", gives: Self.tunnel)) { view, call in
                guard let tunnel = directory.tunnel(call.parameter("id")) else { throw APIErrorBody.notFound }
                return (Self.render(tunnel, view), "")
            },
            ReadOperation(
                path: "/tunnel_sessions/{id}", about: .read("Reads one session.", gives: Self.session)
            ) { view, call in
                guard let session = directory.session(call.parameter("id")) else { throw APIErrorBody.notFound }
                return (Self.render(session, view), "")
            },
        ]
    }

    /// `POST /tunnel_sessions/{id}/stop` and its like: 204 when the agent was asked.
    var requests: [Operation] {
        AgentRequest.allCases.map { request in
            let about = OperationDescription("Asks the agent to \(request.rawValue).", status: 204)
            return Operation("POST", "/tunnel_sessions/{id}/\(request.rawValue)", role: .operator, about) { call in
                // The description says that there is no body; clients that send one send an empty object, or the
                // identifier again.
                _ = try Fields(call.body, known: ["id"])
                guard await directory.ask(request, of: call.parameter("id")) else { throw APIErrorBody.notFound }
                return .noContent
            }
        }
    }

    // MARK: Answers

    private static func reference(_ id: String?, in collection: String, _ view: ConfigurationView) -> JSON {
        guard let id else { return .null }
        if view.state[id] != nil { return view.reference(id) }
        return ["id": .string(id), "uri": .string("\(view.baseURL)/\(collection)/\(id)")]
    }

    static func render(_ session: TunnelSession, _ view: ConfigurationView) -> JSON {
        [
            "id": .string(session.id), "uri": .string("\(view.baseURL)/tunnel_sessions/\(session.id)"),
            "agent_version": .string(session.agentVersion),
            "credential": reference(session.credentialID, in: "credentials", view), "ip": .string(session.ip),
            "metadata": .string(session.metadata), "os": .string(session.os), "region": .string(session.region),
            "started_at": .string(session.startedAt.text), "transport": .string(session.transport),
        ]
    }

    static func render(_ tunnel: Tunnel, _ view: ConfigurationView) -> JSON {
        [
            "id": .string(tunnel.id), "public_url": .string(tunnel.publicURL),
            "started_at": .string(tunnel.startedAt.text), "metadata": .string(tunnel.metadata),
            "proto": .string(tunnel.proto), "region": .string(tunnel.region),
            "tunnel_session": reference(tunnel.sessionID, in: "tunnel_sessions", view),
            "endpoint": reference(tunnel.endpointID, in: "endpoints", view),
            "labels": .object(tunnel.labels.mapValues { .string($0) }),
            "backends": .array(tunnel.backendIDs.map { view.reference($0.rawValue) }),
            "forwards_to": .string(tunnel.forwardsTo),
        ]
    }
}
