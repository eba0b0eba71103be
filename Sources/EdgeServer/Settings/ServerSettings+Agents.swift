import EdgeCore
import Shared

extension ServerSettings {
    /// Where agents come in.
    struct Agents: Sendable, Hashable {
        /// A port of their own: agents that dial an address ask for no name, and cannot come by the visitors' ports.
        var origins: [Listener.Origin] = []
        /// Names and addresses that the certificate is for. By one of the names, agents may come by the visitors'
        /// ports.
        var hosts: [String] = []
        /// A certificate of the operator's own; the internal authority's unless set.
        var certificate: CertificateFiles?
        /// The domain below which agents get names that they do not choose.
        var domain: String?
        var region: Region?
    }

    /// The agents' port unless another one is set.
    static let agentPort: UInt16 = 4443

    static func readAgents(_ table: inout SettingsTable) -> Agents {
        var agents = Agents()
        let socket = table.string("socket")
        let addresses = table.list("address", of: "an IPv4 or IPv6 address") { value in
            value.string.flatMap { IPAddress($0) == nil ? nil : $0 }
        }
        let port = table.integer("port", 0...65_535).map(UInt16.init) ?? agentPort
        if let socket {
            for key in ["address", "port"] {
                guard let value = table.table[key] else { continue }
                table.fault(value.line, "agents.\(key) has no meaning beside agents.socket")
            }
            agents.origins = [.inherited(name: socket)]
        } else if port > 0 {
            agents.origins = [.bind(addresses: addresses ?? ["0.0.0.0", "::"], port: port)]
        }
        agents.hosts = table.list("host", of: "a host name or an address") { $0.string.flatMap(host) } ?? []
        if agents.origins.isEmpty, agents.hosts.isEmpty {
            table.fault(
                table.line, "agents.host is missing: without a port of their own, agents need a name to ask for")
        }
        agents.certificate = readCertificate(&table, "agents")
        agents.domain = table.value("domain", expecting: "a domain name") { value in
            value.string.flatMap(host).flatMap { IPAddress($0) == nil ? $0 : nil }
        }
        agents.region = region(&table)
        table.finish()
        return agents
    }
}
