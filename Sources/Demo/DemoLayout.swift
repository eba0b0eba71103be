import Foundation
import Glibc

/// Where everything of a demo lies and listens. Ports are the usual ones if they are free.
struct DemoLayout {
    let state: String
    let regions: [TrafficTarget]
    let redirect: UInt16
    let tcp: ClosedRange<UInt16>
    let agents: UInt16
    let upstreams: [(name: String, port: UInt16)]
    let socket: String

    init(state: String) {
        self.state = state
        var taken: Set<UInt16> = []
        let free = { (wanted: UInt16) -> UInt16 in
            var port = Loopback.freePort(wanted)
            while taken.contains(port) { port = Loopback.freePort(0) }
            taken.insert(port)
            return port
        }
        regions = [("us", 8443), ("eu", 8444), ("ap", 8445)].map { TrafficTarget(region: $0, port: free($1)) }
        redirect = free(8080)
        agents = free(4443)
        upstreams = [("v1", 9101), ("v2", 9102)].map { ($0, free($1)) }
        tcp = DemoLayout.freeRange()
        // A socket's path holds 107 bytes: unix(7).
        let usual = state + "/data/admin.sock"
        socket = usual.utf8.count <= 107 ? usual : "/tmp/selvage-demo-\(getuid())-\(getpid()).sock"
    }

    private static func freeRange() -> ClosedRange<UInt16> {
        for first in stride(from: UInt16(20_080), to: 30_000, by: 10) {
            let range = first...(first + 9)
            if range.allSatisfy({ Loopback.freePort($0) == $0 }) { return range }
        }
        return 20_080...20_089
    }

    var logs: String { state + "/logs" }
    var settingsFile: String { state + "/selvage.toml" }
    var authority: String { state + "/ca.pem" }
    var token: String { state + "/agent.token" }

    /// What `selvage-server` reads.
    var settings: String {
        var text = """
            # Written by selvage-demo at each start.
            node = "demo"
            region = "us"
            data_folder = \(quoted(state + "/data"))

            [admin]
            socket = \(quoted(socket))
            mode = "0600"

            [tcp]
            public_host = "tcp.selvage.localhost"
            address = ["127.0.0.1", "::1"]
            ports = "\(tcp.lowerBound)-\(tcp.upperBound)"

            [agents]
            address = ["127.0.0.1", "::1"]
            port = \(agents)

            [[listener]]
            kind = "http"
            address = ["127.0.0.1", "::1"]
            port = \(redirect)

            [limits]
            connections = 2000

            [timeouts]
            drain = "5s"

            """
        for target in regions {
            text += """

                [[listener]]
                kind = "https"
                region = "\(target.region)"
                address = ["127.0.0.1", "::1"]
                port = \(target.port)

                """
        }
        return text
    }

    /// A basic string of TOML. Control characters cannot stand in a path that a person typed.
    private func quoted(_ text: String) -> String {
        "\"" + text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"") + "\""
    }

    /// What listens where, and lines that work as pasted.
    func printGuide(withConsole: Bool) {
        let host = DemoRun.domain
        let first = regions.first?.port ?? 443
        tell("")
        tell("The edge https://\(host) has a weighted backend (v1 90 %, v2 10 %) and a circuit breaker.")
        for target in regions { tell("  region \(target.region)     https on 127.0.0.1:\(target.port) and [::1]") }
        tell("  redirect      http on 127.0.0.1:\(redirect) to https")
        tell("  agents        127.0.0.1:\(agents): one serves https://\(host)/tunnel with v1, from the inside")
        tell("  TCP edges     127.0.0.1:\(tcp.lowerBound)-\(tcp.upperBound)")
        for upstream in upstreams { tell("  upstream \(upstream.name)   http on 127.0.0.1:\(upstream.port)") }
        tell("  admin socket  \(socket)")
        tell("  state, logs   \(state)")
        tell("")
        tell("Ask it:        " + curl(host, first))
        if let failing = upstreams.last {
            tell("Make v2 fail:  curl -X POST http://127.0.0.1:\(failing.port)/fail     (and /heal)")
        }
        if withConsole {
            tell("Console:       \(ChildProcess.binaries)/selvage --socket \(shell(socket))")
            tell("Ctrl-C or SIGTERM stops it all.")
        }
        tell("")
    }

    private func curl(_ host: String, _ port: UInt16) -> String {
        "curl --cacert \(shell(authority)) --resolve \(host):\(port):127.0.0.1 https://\(host):\(port)/"
    }

    /// As one word of a shell's line.
    private func shell(_ text: String) -> String {
        let plain = text.utf8.allSatisfy { byte in
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x2F, 0x5F: true
            default: false
            }
        }
        return plain ? text : "'" + text.replacingOccurrences(of: "'", with: "'\\''") + "'"
    }
}
