import Shared

/// One `[[tunnel]]` table, read into a spec.
struct TunnelReading {
    /// `nil` when it has too many faults to be one.
    var tunnel: TunnelSpec?
    var holdsSecrets = false

    private enum KindName: String, CaseIterable {
        case labelled, https, http, tls, tcp
    }

    private enum Place: String, CaseIterable {
        case upstream, agent, edge
    }

    static func read(_ table: inout SettingsTable) -> TunnelReading {
        let name = table.requiredString("name", "a name that no other tunnel has")
        let kind = readKind(&table)
        let termination = readTermination(&table)
        let upstream = readUpstream(&table, kind, termination)
        // A stand-in, so that the rest is read and checked all the same.
        var spec = TunnelSpec(
            name: name ?? "tunnel", kind: kind ?? .endpoint(.https, nil), upstream: upstream ?? .placeholder)
        spec.termination = termination
        spec.verification = readVerification(&table)
        spec.proxyProtocol = table.integer("proxy_proto", 0...2).flatMap(TunnelSpec.ProxyProtocol.init) ?? .none
        spec.metadata = table.string("metadata") ?? ""
        spec.pooling = table.boolean("pooling", false)
        spec.forwardsProto = table.choice("forwards_proto")
        spec.modules = readModules(&table)
        let isWhole = kind != nil && upstream != nil
        if isWhole { for fault in spec.faults { table.report(fault) } }
        table.finish()
        let modules = spec.modules
        let secrets =
            !modules.basicAuth.isEmpty || modules.webhook != nil || modules.oauth != nil || modules.oidc != nil
        return TunnelReading(tunnel: isWhole && name != nil ? spec : nil, holdsSecrets: secrets)
    }

    // MARK: What it is

    private static func readKind(_ table: inout SettingsTable) -> TunnelSpec.Kind? {
        let written = table.choice("kind", KindName.self)
        let labels = readLabels(&table)
        let hasLabels = table.table["labels"] != nil
        let url = table.string("url")
        if table.table["kind"] == nil, !hasLabels {
            table.fault(table.line, "tunnel.kind is missing: it must be labelled, https, http, tls or tcp")
            return nil
        }
        let kind = table.table["kind"] == nil ? .labelled : written
        guard let kind else { return nil }
        guard let proto = TunnelSpec.Proto(rawValue: kind.rawValue) else {
            if url != nil { table.report(AgentFault("a labelled tunnel has no address: edges do", key: "url")) }
            if !hasLabels { table.fault(table.line, "tunnel.labels is missing: a labelled tunnel needs one at least") }
            return labels.map { .labelled($0) }
        }
        if hasLabels { table.report(AgentFault("labels are for tunnels of the kind labelled", key: "labels")) }
        guard let url else { return .endpoint(proto, nil) }
        return table.attempt("url") { () throws(AgentFault) in
            .endpoint(proto, try EndpointAddress(url, for: proto))
        }
    }

    /// A table, or the command line's forms.
    private static func readLabels(_ table: inout SettingsTable) -> [String: String]? {
        guard let value = table.table["labels"] else {
            _ = table.string("labels")
            return nil
        }
        guard value.table != nil else {
            guard let texts = table.list("labels", of: "a string like \"app=dashboard\"", \.string) else { return nil }
            return table.attempt("labels") { () throws(AgentFault) in try TunnelLabels.parse(texts) }
        }
        return table.value("labels", expecting: "a table of strings, like { app = \"dashboard\" }") { value in
            guard let members = value.table?.members else { return nil }
            let pairs = members.compactMap { member in member.value.string.map { (member.key, $0) } }
            return pairs.count == members.count ? Dictionary(uniqueKeysWithValues: pairs) : nil
        }
    }

    private static func readUpstream(
        _ table: inout SettingsTable, _ kind: TunnelSpec.Kind?, _ termination: TunnelSpec.Termination
    ) -> UpstreamAddress? {
        guard table.table["upstream"] != nil else {
            _ = table.string("upstream")
            table.fault(table.line, "tunnel.upstream is missing: it must be an address like \"localhost:80\"")
            return nil
        }
        // A port is a number, and people write it as one.
        if table.table["upstream"]?.integer != nil {
            let port = table.integer("upstream", 1...65_535)
            return port.flatMap { port in
                table.attempt("upstream") { () throws(AgentFault) in
                    try UpstreamAddress(String(port), default: .usual(for: kind, termination))
                }
            }
        }
        return table.parsed("upstream") { text throws(AgentFault) in
            try UpstreamAddress(text, default: .usual(for: kind, termination))
        }
    }

    private static func readTermination(_ table: inout SettingsTable) -> TunnelSpec.Termination {
        let place = table.choice("terminate_at", Place.self)
        let certificate = table.string("terminate_tls_cert")
        let key = table.string("terminate_tls_key")
        if let certificate, let key {
            if let place, place != .agent {
                table.report(
                    AgentFault("with terminate_tls_cert the agent ends TLS", key: "terminate_at"))
            }
            return .agent(CertificateFiles(certificate: certificate, key: key))
        }
        if place == .agent || certificate != nil || key != nil {
            let missing = certificate == nil ? "terminate_tls_cert" : "terminate_tls_key"
            table.fault(table.line, "tunnel.\(missing) is missing: the agent needs a certificate and its key")
        }
        return place == .edge ? .edge : .upstream
    }

    private static func readVerification(_ table: inout SettingsTable) -> TunnelSpec.Verification {
        let isWanted = table.boolean("upstream_tls_verify", false)
        let file = table.string("upstream_ca")
        let name = table.string("upstream_server_name")
        if file != nil, !isWanted, table.table["upstream_tls_verify"] != nil {
            table.report(AgentFault("upstream_ca has no meaning without verification", key: "upstream_ca"))
        }
        return TunnelSpec.Verification(trust: file.map { .file($0) } ?? (isWanted ? .system : nil), serverName: name)
    }

    // MARK: Modules

    private static func readModules(_ table: inout SettingsTable) -> EndpointModules {
        typealias Field = EndpointModules.Field
        var modules = EndpointModules()
        modules.basicAuth = table.parsedList("basic_auth") { text throws(AgentFault) in
            try EndpointModules.Credential(text)
        }
        modules.compression = table.boolean("compression", false)
        modules.circuitBreaker = table.value("circuit_breaker", expecting: "a share like 0.5", \.number)
        let field = { (text: String) throws(AgentFault) in try Field(text) }
        let name = { (text: String) throws(AgentFault) in try Field.name(text) }
        modules.requestHeaders.add = table.parsedList("request_header_add", field)
        modules.requestHeaders.remove = table.parsedList("request_header_remove", name)
        modules.responseHeaders.add = table.parsedList("response_header_add", field)
        modules.responseHeaders.remove = table.parsedList("response_header_remove", name)
        modules.addresses = EndpointModules.Choice(
            allow: texts("allow_cidr", &table), deny: texts("deny_cidr", &table))
        modules.userAgents = EndpointModules.Choice(
            allow: texts("allow_user_agent", &table), deny: texts("deny_user_agent", &table))
        modules.webhook = readWebhook(&table)
        modules.websocketTCPConverter = table.boolean("websocket_tcp_converter", false)
        modules.mutualTLSFile = table.string("mutual_tls_ca")
        if var section = table.section("oauth") { modules.oauth = readLogin(&section, "provider") }
        if var section = table.section("oidc") { modules.oidc = readLogin(&section, "issuer_url") }
        modules.trafficPolicyFile = table.string("traffic_policy_file")
        return modules
    }

    private static func texts(_ key: String, _ table: inout SettingsTable) -> [String] {
        table.list(key, of: "a string", \.string) ?? []
    }

    private static func readWebhook(_ table: inout SettingsTable) -> EndpointModules.Webhook? {
        let provider = table.string("webhook_provider")
        let secret = table.string("webhook_secret")
        guard let provider else {
            if secret != nil {
                table.report(AgentFault("webhook_secret has no meaning without a provider", key: "webhook_secret"))
            }
            return nil
        }
        return EndpointModules.Webhook(provider: provider, secret: Secret(secret ?? ""))
    }

    private static func readLogin(_ table: inout SettingsTable, _ key: String) -> EndpointModules.Login? {
        let provider = table.requiredString(key, key == "provider" ? "a provider like \"google\"" : "the issuer's URL")
        var login = EndpointModules.Login(provider: provider ?? "")
        login.clientID = table.string("client_id") ?? ""
        login.clientSecret = Secret(table.string("client_secret") ?? "")
        login.emails = texts("allow_emails", &table)
        login.domains = texts("allow_domains", &table)
        login.scopes = texts("scopes", &table)
        table.finish()
        return provider == nil ? nil : login
    }
}

extension UpstreamAddress.Scheme {
    /// What an upstream's address without a scheme means for a tunnel of that kind.
    public static func usual(
        for kind: TunnelSpec.Kind?, _ termination: TunnelSpec.Termination
    ) -> UpstreamAddress.Scheme {
        switch kind {
        case .endpoint(.tcp, _): .tcp
        case .endpoint(.tls, _): termination == .upstream ? .tls : .tcp
        case .labelled where termination != .upstream: .tcp
        default: .http
        }
    }
}

extension UpstreamAddress {
    /// For a tunnel whose own address has a fault.
    static let placeholder = UpstreamAddress(scheme: .http, place: .network(host: "localhost", port: 80))

    init(scheme: Scheme, place: Place) {
        self.scheme = scheme
        self.place = place
    }
}
