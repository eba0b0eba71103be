import Glibc

/// A host and perhaps a port, as people write them.
struct HostPort: Hashable, Sendable {
    /// A name in lower case, an IPv4 address, or an IPv6 address without its brackets.
    var host: String
    var port: UInt16?

    /// Reads `name`, `name:port`, `192.0.2.1:port`, `[2001:db8::1]:port`.
    init(_ text: String) throws(AgentFault) {
        guard text.utf8.count <= 300 else { throw AgentFault("the address is longer than any host name") }
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw AgentFault("\(shown(text)): '[' has no ']'") }
            host = String(text[text.index(after: text.startIndex)..<end])
            guard HostPort.isIPv6(host) else { throw AgentFault("\(shown(host)) is no IPv6 address") }
            let rest = text[text.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else {
                throw AgentFault("\(shown(text)): after ']' comes ':' and a port")
            }
            port = rest.isEmpty ? nil : try HostPort.port(rest.dropFirst())
            return
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count <= 2 else {
            throw AgentFault("\(shown(text)): an IPv6 address stands in brackets, like [2001:db8::1]:443")
        }
        host = parts[0].lowercased()
        try HostPort.checkName(host)
        port = parts.count == 2 ? try HostPort.port(parts[1]) : nil
    }

    static func port(_ text: some StringProtocol) throws(AgentFault) -> UInt16 {
        guard text.utf8.count <= 5, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let port = UInt16(text),
            port > 0
        else { throw AgentFault("\(shown(String(text))) is no port: ports go from 1 to 65535") }
        return port
    }

    /// RFC 1123, 2.1; underscores are let pass, because private networks use them.
    static func checkName(_ name: String) throws(AgentFault) {
        guard !name.isEmpty else { throw AgentFault("the host is missing") }
        let labels = name.split(separator: ".", omittingEmptySubsequences: false)
        let isGood = labels.allSatisfy { label in
            (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && !label.hasSuffix("-")
                && label.utf8.allSatisfy(isNameByte)
        }
        guard isGood, name.utf8.count <= 253 else { throw AgentFault("\(shown(name)) is no host name") }
        // A name whose last label is a number would be taken for an IPv4 address by some resolvers (RFC 3696, 2).
        if let last = labels.last, last.utf8.allSatisfy({ (0x30...0x39).contains($0) }), !isIPv4(name) {
            throw AgentFault("\(shown(name)) is no IPv4 address")
        }
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x61...0x7A, 0x41...0x5A, 0x30...0x39, UInt8(ascii: "-"), UInt8(ascii: "_"): true
        default: false
        }
    }

    static func isIPv4(_ text: String) -> Bool {
        var address = in_addr()
        return inet_pton(AF_INET, text, &address) == 1
    }

    static func isIPv6(_ text: String) -> Bool {
        var address = in6_addr()
        return inet_pton(AF_INET6, text, &address) == 1
    }

    /// With the brackets that an IPv6 address needs in front of a port.
    static func written(_ host: String) -> String { host.contains(":") ? "[\(host)]" : host }
}

/// A text as a message quotes it: bounded.
func shown(_ text: String) -> String { text.count <= 80 ? "'\(text)'" : "'\(text.prefix(80))…'" }
