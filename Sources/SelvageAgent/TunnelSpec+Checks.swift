extension TunnelSpec {
    /// What in this spec does not go together. The command line and the settings file have it from here, so that both
    /// say the same.
    public var faults: [AgentFault] {
        generalFaults + kindFaults + moduleFaults + tlsFaults
    }

    private var generalFaults: [AgentFault] {
        var faults: [AgentFault] = []
        if !(1...255).contains(name.utf8.count) || name.unicodeScalars.contains(where: { $0.value < 0x20 }) {
            faults.append(AgentFault("a tunnel's name has 1 to 255 bytes and no control characters", key: "name"))
        }
        if metadata.utf8.count > AgentSettings.maximumMetadata {
            faults.append(
                AgentFault("metadata may have at most \(AgentSettings.maximumMetadata) bytes", key: "metadata"))
        }
        if case .labelled(let labels) = kind {
            do throws(AgentFault) {
                try TunnelLabels.check(labels)
            } catch {
                faults.append(error)
            }
        }
        return faults
    }

    private var kindFaults: [AgentFault] {
        var faults: [AgentFault] = []
        if case .labelled = kind, pooling {
            faults.append(
                AgentFault("labelled tunnels with the same labels share traffic without being told", key: "pooling"))
        }
        if case .endpoint(let proto, _) = kind, !proto.isHTTP, let forwardsProto {
            faults.append(
                AgentFault(
                    "\(forwardsProto.rawValue) has a meaning for HTTP only, not for \(proto.rawValue)",
                    key: "forwards_proto"))
        }
        return faults
    }

    private var moduleFaults: [AgentFault] {
        var faults = modules.faults
        for (key, isHTTPOnly) in modules.inUse {
            switch kind {
            case .labelled:
                faults.append(AgentFault("modules of a labelled tunnel stand on the edge: set it there", key: key))
            case .endpoint(let proto, _) where isHTTPOnly && !proto.isHTTP:
                faults.append(AgentFault("endpoints of the kind \(proto.rawValue) do not have it", key: key))
            case .endpoint(.tcp, _) where key == "mutual_tls_ca":
                faults.append(AgentFault("a TCP endpoint has no TLS", key: key))
            case .endpoint(.http, _) where key == "mutual_tls_ca":
                faults.append(AgentFault("an http endpoint has no TLS: use https", key: key))
            case .endpoint(.tls, _) where key == "mutual_tls_ca" && termination != .edge:
                faults.append(
                    AgentFault("the server sees visitors' certificates only with terminate_at = \"edge\"", key: key))
            case .endpoint: break
            }
        }
        return faults
    }

    private var tlsFaults: [AgentFault] {
        var faults: [AgentFault] = []
        let terminates = termination != .upstream
        switch kind {
        case .endpoint(let proto, _) where proto != .tls && terminates:
            faults.append(
                AgentFault("only TLS endpoints and labelled tunnels choose where TLS ends", key: "terminate_at"))
        case .labelled where termination == .edge:
            faults.append(
                AgentFault("where an edge ends TLS is said on the edge", key: "terminate_at"))
        default: break
        }
        let isVerified = verification.trust != nil
        if isVerified, !upstream.scheme.usesTLS {
            faults.append(
                AgentFault(
                    "there is no certificate to verify: the upstream \(upstream) is reached without TLS",
                    key: "upstream_tls_verify"))
        }
        if case .unix = upstream.place, isVerified, verification.serverName == nil {
            faults.append(
                AgentFault("a Unix socket has no host name to verify", key: "upstream_server_name"))
        }
        if let name = verification.serverName {
            do throws(AgentFault) {
                try HostPort.checkName(name)
            } catch {
                faults.append(AgentFault(error.message, key: "upstream_server_name"))
            }
        }
        return faults
    }
}

extension EndpointModules {
    /// Whatever is set, by its key in the settings file, and whether it has a meaning on HTTP only.
    var inUse: [(key: String, isHTTPOnly: Bool)] {
        let all: [(Bool, String, Bool)] = [
            (!basicAuth.isEmpty, "basic_auth", true), (compression, "compression", true),
            (circuitBreaker != nil, "circuit_breaker", true),
            (!requestHeaders.add.isEmpty, "request_header_add", true),
            (!requestHeaders.remove.isEmpty, "request_header_remove", true),
            (!responseHeaders.add.isEmpty, "response_header_add", true),
            (!responseHeaders.remove.isEmpty, "response_header_remove", true),
            (!addresses.allow.isEmpty, "allow_cidr", false), (!addresses.deny.isEmpty, "deny_cidr", false),
            (!userAgents.allow.isEmpty, "allow_user_agent", true), (!userAgents.deny.isEmpty, "deny_user_agent", true),
            (webhook != nil, "webhook_provider", true), (websocketTCPConverter, "websocket_tcp_converter", true),
            (mutualTLSFile != nil, "mutual_tls_ca", false), (oauth != nil, "oauth", true), (oidc != nil, "oidc", true),
            (trafficPolicyFile != nil, "traffic_policy_file", false),
        ]
        return all.filter(\.0).map { ($0.1, $0.2) }
    }

    var faults: [AgentFault] {
        var faults: [AgentFault] = []
        if let circuitBreaker, !(circuitBreaker > 0 && circuitBreaker <= 1) {
            faults.append(AgentFault("a share of failed requests is above 0 and at most 1", key: "circuit_breaker"))
        }
        if basicAuth.count > EndpointModules.maximumCredentials {
            faults.append(
                AgentFault("there are more than \(EndpointModules.maximumCredentials) credentials", key: "basic_auth"))
        }
        for (key, networks) in [("allow_cidr", addresses.allow), ("deny_cidr", addresses.deny)] {
            for network in networks where !EndpointModules.isNetwork(network) {
                faults.append(AgentFault("\(shown(network)) is no network like 10.0.0.0/8 or 2001:db8::/32", key: key))
            }
        }
        faults += headerFaults("request_header_add", requestHeaders)
        faults += headerFaults("response_header_add", responseHeaders)
        if let webhook, (webhook.provider.lowercased() == "sns") != webhook.secret.text.isEmpty {
            faults.append(AgentFault("webhooks need a secret, but for sns, which has none", key: "webhook_secret"))
        }
        if oauth != nil, oidc != nil {
            faults.append(AgentFault("OAuth and OpenID Connect are two ways to log in: choose one", key: "oidc"))
        }
        return faults
    }

    /// The protocol carries one value to a name: a second one would silently take the first one's place.
    private func headerFaults(_ key: String, _ headers: Headers) -> [AgentFault] {
        let names = Dictionary(grouping: headers.add, by: \.name).filter { $0.value.count > 1 }.keys.sorted()
        return names.map { AgentFault("header \(shown($0)) is added twice", key: key) }
    }

    static func isNetwork(_ text: String) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2 else { return false }
        let host = String(parts[0])
        let most = HostPort.isIPv4(host) ? 32 : HostPort.isIPv6(host) ? 128 : -1
        guard parts.count == 2 else { return most > 0 }
        guard parts[1].utf8.allSatisfy({ (0x30...0x39).contains($0) }), let length = Int(parts[1]) else { return false }
        return (0...128).contains(length) && length <= most
    }
}
