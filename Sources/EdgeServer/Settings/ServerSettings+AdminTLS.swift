import EdgeCore
import Shared

extension ServerSettings {
    /// The part of `[admin]` that is about the API over TLS.
    static func readAdminTLS(_ table: inout SettingsTable, _ admin: inout Admin) {
        let what = "an address with a port, like \"127.0.0.1:8443\" or \"[::1]:8443\""
        admin.listen = table.list("listen", of: what, isEmptyAllowed: true) { $0.string.flatMap(place) } ?? []
        for (index, place) in admin.listen.enumerated() where admin.listen.prefix(index).contains(place) {
            table.fault(table.table["listen"]?.line ?? table.line, "admin.listen names \(place) twice")
        }
        admin.hosts = table.list("host", of: "a host name or an address") { $0.string.flatMap(host) } ?? []
        admin.certificate = readCertificate(&table, "admin")
        let most = 1_000_000
        admin.requestsPerMinute = table.integer("requests_per_minute", 0...most) ?? admin.requestsPerMinute
        admin.concurrentRequests = table.integer("concurrent_requests", 0...most) ?? admin.concurrentRequests
        guard admin.listen.isEmpty else { return }
        for key in ["host", "certificate", "key", "requests_per_minute", "concurrent_requests"] {
            guard let value = table.table[key] else { continue }
            table.fault(value.line, "admin.\(key) has no meaning without admin.listen")
        }
    }

    static func readCertificate(_ table: inout SettingsTable, _ name: String) -> CertificateFiles? {
        let chain = table.value("certificate", expecting: "an absolute path", absolutePath)
        let key = table.value("key", expecting: "an absolute path", absolutePath)
        if let chain, let key { return CertificateFiles(chain: chain, key: key) }
        if let given = table.table["certificate"] ?? table.table["key"], chain != nil || key != nil {
            table.fault(given.line, "\(name).certificate and \(name).key need each other")
        }
        return nil
    }

    private static func place(_ text: String) -> Place? {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard let port = UInt16(digits), port > 0, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return nil
        }
        let host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            let inner = host.dropFirst().dropLast()
            return inner.contains(":") && IPAddress(inner) != nil ? Place(address: String(inner), port: port) : nil
        }
        return !host.contains(":") && IPAddress(host) != nil ? Place(address: String(host), port: port) : nil
    }

    /// A name that a certificate can be for, or an address.
    static func host(_ text: String) -> String? {
        guard (1...253).contains(text.utf8.count) else { return nil }
        if IPAddress(text) != nil { return text }
        let isName = text.utf8.allSatisfy { byte in
            (0x61...0x7A).contains(byte | 0x20) || (0x30...0x39).contains(byte) || byte == 0x2D || byte == 0x2E
        }
        return isName ? text.lowercased() : nil
    }

    static func absolutePath(_ value: TOML.Value) -> String? {
        value.string.flatMap { $0.hasPrefix("/") && !$0.utf8.contains(0) ? $0 : nil }
    }
}

extension ServerSettings.Place: CustomStringConvertible {
    var description: String { address.contains(":") ? "[\(address)]:\(port)" : "\(address):\(port)" }
}
