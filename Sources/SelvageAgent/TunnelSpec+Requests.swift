import Foundation
public import Shared

/// The requests that open a tunnel, as the agent protocol has them.
extension TunnelSpec {
    /// The whole `Bind` request (type 1) of an endpoint, `StartTunnelWithLabel` (type 7) of a labelled tunnel.
    /// - Parameters:
    ///   - id: the identifier to keep when an endpoint is bound again; empty the first time.
    ///   - token: of the last reply to `Bind`; empty the first time.
    ///   - files: gives the files of traffic policy and authorities. Called here, so a request is made once at start
    ///     and kept: a file that is gone later must not fail a reconnect.
    public func request(id: String = "", token: String = "", files: FileReader) throws(AgentFault) -> JSON {
        switch kind {
        case .labelled(let labels): labelRequest(labels)
        case .endpoint(let proto, let address):
            try bindRequest(proto, address, id: id, token: token, files: files)
        }
    }

    func labelRequest(_ labels: [String: String]) -> JSON {
        [
            "Labels": .object(labels.mapValues { .string($0) }), "ForwardsTo": .string(upstream.description),
            "ForwardsProto": .string(forwardsProto?.rawValue ?? ""), "Metadata": .string(metadata),
            "ProxyProto": .int(Int64(proxyProtocol.rawValue)),
        ]
    }

    func bindRequest(
        _ proto: Proto, _ address: EndpointAddress?, id: String, token: String, files: FileReader
    ) throws(AgentFault) -> JSON {
        var extra: JSON = [
            "Token": .string(token), "IPPolicyRef": "", "Metadata": .string(metadata), "Bindings": [],
            "Name": .string(name),
        ]
        if pooling { extra["PoolingEnabled"] = true }
        return [
            "Id": .string(id), "Proto": .string(proto.rawValue), "ForwardsTo": .string(upstream.description),
            "ForwardsProto": .string(forwardsProto?.rawValue ?? ""),
            "Opts": try options(proto, address, files), "Extra": extra,
        ]
    }

    private func options(
        _ proto: Proto, _ address: EndpointAddress?, _ files: FileReader
    ) throws(AgentFault) -> JSON {
        let hostName = JSON.string(address?.host ?? "")
        var options: JSON
        switch proto {
        case .https, .http:
            options = try modules.options(files)
            options["Hostname"] = hostName
        case .tcp: options = ["Addr": .string(address?.description ?? "")]
        case .tls:
            options = [
                "Hostname": hostName, "Subdomain": "", "MutualTLSAtAgent": false,
                "MutualTLSAtEdge": try modules.mutualTLS(files),
                // An object without a certificate asks the server to end TLS with its own; `null` to pass it through.
                "TLSTermination": termination == .edge ? [:] : nil,
            ]
        }
        options["ProxyProto"] = .int(Int64(proxyProtocol.rawValue))
        options["IPRestriction"] = modules.addresses.json(allow: "allow_cidrs", deny: "deny_cidrs")
        options["TrafficPolicy"] = try modules.trafficPolicy(files)
        return options
    }
}

extension EndpointModules {
    /// The modules that only HTTP endpoints have. What is not set is null.
    fileprivate func options(_ files: FileReader) throws(AgentFault) -> JSON {
        [
            "Auth": "", "Subdomain": "", "HostHeaderRewrite": false, "LocalUrlScheme": nil,
            "Compression": compression ? [:] : nil,
            "CircuitBreaker": circuitBreaker.map { ["error_threshold": .double($0)] } ?? nil,
            "BasicAuth": basicAuth.isEmpty ? nil : ["credentials": .array(basicAuth.map(\.json))],
            "OAuth": oauth.map { $0.json(provider: "provider") } ?? nil,
            "OIDC": oidc.map { $0.json(provider: "issuer_url") } ?? nil,
            "WebhookVerification": webhook.map(\.json) ?? nil,
            "MutualTLSCA": try mutualTLS(files),
            "RequestHeaders": requestHeaders.json, "ResponseHeaders": responseHeaders.json,
            "WebsocketTCPConverter": websocketTCPConverter ? [:] : nil,
            "UserAgentFilter": userAgents.json(allow: "allow", deny: "deny"),
        ]
    }

    fileprivate func mutualTLS(_ files: FileReader) throws(AgentFault) -> JSON {
        guard let mutualTLSFile else { return nil }
        let bytes = try files(mutualTLSFile)
        guard bytes.count <= 1 << 20, String(decoding: bytes, as: UTF8.self).contains("-----BEGIN CERTIFICATE-----")
        else { throw AgentFault("\(mutualTLSFile) holds no certificate in PEM form", key: "mutual_tls_ca") }
        return ["mutual_tls_ca": .string(Data(bytes).base64EncodedString())]
    }

    fileprivate func trafficPolicy(_ files: FileReader) throws(AgentFault) -> JSON {
        guard let trafficPolicyFile else { return nil }
        guard let text = String(validating: try files(trafficPolicyFile), as: UTF8.self) else {
            throw AgentFault("\(trafficPolicyFile) is not valid UTF-8", key: "traffic_policy_file")
        }
        return .string(text)
    }
}

extension EndpointModules.Credential {
    fileprivate var json: JSON { ["username": .string(user), "cleartext_password": .string(password.text)] }
}

extension EndpointModules.Headers {
    fileprivate var json: JSON {
        members(["add": add.map { "\($0.name):\($0.value)" }, "remove": remove])
    }
}

extension EndpointModules.Choice {
    fileprivate func json(allow allowKey: String, deny denyKey: String) -> JSON {
        members([allowKey: allow, denyKey: deny])
    }
}

extension EndpointModules.Webhook {
    fileprivate var json: JSON {
        var json: JSON = ["provider": .string(provider)]
        if !secret.text.isEmpty { json["secret"] = .string(secret.text) }
        return json
    }
}

extension EndpointModules.Login {
    fileprivate func json(provider key: String) -> JSON {
        var json = members(["allow_emails": emails, "allow_domains": domains, "scopes": scopes])
        if json.isNull { json = [:] }
        json[key] = .string(provider)
        if !clientID.isEmpty { json["client_id"] = .string(clientID) }
        if !clientSecret.text.isEmpty { json["client_secret"] = .string(clientSecret.text) }
        return json
    }
}

/// The lists that are not empty; null when all are: the protocol leaves out empty members and nulls empty objects.
private func members(_ lists: [String: [String]]) -> JSON {
    let kept = lists.filter { !$0.value.isEmpty }
    return kept.isEmpty ? nil : .object(kept.mapValues { .array($0.map { .string($0) }) })
}
