import EdgeCore
import EdgeTunnel
import Shared
import Synchronization

/// Endpoints that agents have bound: part of what serves, and of nothing that is kept.
extension ConfigurationService {
    /// Puts an endpoint in force. When it returns, traffic for it is served.
    func bind(_ endpoint: EphemeralEndpoint) async throws -> Refusal? {
        try await alone {
            var after = published.withLock { $0 }
            guard after.state.holders(of: "hostport/\(endpoint.hostport)").isEmpty else {
                return Refusal(381, "An edge or a cloud endpoint serves \(endpoint.url.text) already.")
            }
            guard after.bound[endpoint.hostport] == nil else {
                return Refusal(334, "The endpoint \(endpoint.url.text) is online already.")
            }
            after.bound[endpoint.hostport] = endpoint
            endpoint.apply(to: &after.configuration)
            let compilation = compiler.prepare(
                after.configuration, touched: [endpoint.id], previous: after.snapshot)
            if let fault = compilation.snapshot.faults[endpoint.id] { return Refusal(fault) }
            await publish(compilation, &after)
            guard let problem = await problem(of: endpoint) else { return nil }
            await takeOut(endpoint, &after)
            return Refusal(nil, problem)
        }
    }

    /// Takes an endpoint out again; running exchanges go on.
    func unbind(_ hostport: String) async throws {
        try await alone {
            var after = published.withLock { $0 }
            guard let endpoint = after.bound[hostport] else { return }
            await takeOut(endpoint, &after)
        }
    }

    private func takeOut(_ endpoint: EphemeralEndpoint, _ after: inout Published) async {
        after.bound[endpoint.hostport] = nil
        endpoint.remove(from: &after.configuration)
        let compilation = compiler.prepare(after.configuration, touched: [endpoint.id], previous: after.snapshot)
        await publish(compilation, &after)
    }

    private func publish(_ compilation: Compilation, _ after: inout Published) async {
        compiler.putInForce(compilation)
        after.snapshot = compilation.snapshot
        published.withLock { $0 = after }
        await dataPlane.publish(compilation.snapshot)
    }

    /// Why nobody can reach it: its port, or its certificate.
    private func problem(of endpoint: EphemeralEndpoint) async -> String? {
        let problems = await dataPlane.problems()
        if endpoint.url.scheme == .tcp, let text = problems["port/\(endpoint.url.port)"] {
            return "The port \(endpoint.url.port) cannot be opened: \(text)"
        }
        return endpoint.certificate.flatMap { problems[$0.id.rawValue] }
            .map { "The certificate cannot be used: \($0)" }
    }

    /// Edges and cloud endpoints do not take an address from an agent that serves it.
    static func checkBound(_ changes: [ObjectChange], _ bound: [String: EphemeralEndpoint]) throws(Fault) {
        guard !bound.isEmpty else { return }
        for change in changes {
            guard let object = change.after, object.kind.edgeKind != nil || object.kind == .endpoint else { continue }
            let hostports = EndpointURL(kept: object).map { [$0.hostport] } ?? Hostports.of(object)
            guard let taken = hostports.first(where: { bound[$0] != nil }) else { continue }
            throw Fault(7132, "The hostport '\(taken)' is in use by an endpoint that an agent has bound.")
        }
    }
}
