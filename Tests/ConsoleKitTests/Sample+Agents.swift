import Shared

@testable import ConsoleKit

extension Sample {
    /// A tunnel session's identifier that can be told by its beginning.
    static func session(_ name: String) -> String { "ts_2" + name + String(repeating: "a", count: 26 - name.count) }

    static let dashboard = session("dash")
    static let billing = session("bill")
    static let crowded = session("crowd")

    /// Three agents: one with several tunnels, one that drains and has a name, one without a stream left. The figures
    /// of the first grow with every tick.
    static func agents(_ sequence: UInt64 = 100) -> [AgentStatus] {
        let age = Double(sequence)
        return [
            AgentStatus(
                id: dashboard, version: "1.4.0", client: "ngrok-python", os: "linux", ip: "203.0.113.7", region: "eu",
                credentialID: "cr_2aaaaaaaaaaaaaaaaaaaaaaaaaa", uptime: 12_500 + age, rtt: 24.12, streams: 12,
                streamLimit: 100, opened: 1_034, bytesIn: 4_100_000 + sequence * 2_100,
                bytesOut: 1_200_000_000 + sequence * 60_000 + (sequence % 7) * 9_000, reconnects: 2,
                tunnels: [
                    AgentStatus.Tunnel(
                        id: "tn_1", labels: ["version": "1", "app": "dashboard"], forwardsTo: "http://localhost:8080"),
                    AgentStatus.Tunnel(id: "tn_2", labels: ["app": "dashboard", "version": "2"], forwardsTo: ""),
                    AgentStatus.Tunnel(
                        id: "tn_3", proto: "https", url: "https://dash.example", forwardsTo: "http://localhost:8081"),
                ]),
            AgentStatus(
                id: billing, state: .draining, version: "3.1.0", client: "selvage-agent", os: "linux",
                ip: "198.51.100.20", region: "us", credentialID: "cr_2bbbbbbbbbbbbbbbbbbbbbbbbbb",
                metadata: "billing, rack 4", uptime: 40 + age, streams: 1, streamLimit: 100, opened: 3,
                bytesIn: 900, bytesOut: 310_000,
                tunnels: [AgentStatus.Tunnel(id: "tn_4", labels: ["app": "billing"], forwardsTo: "localhost:9000")]),
            AgentStatus(
                id: crowded, version: "3.1.0", client: "selvage-agent", os: "freebsd", ip: "2001:db8::20", region: "ap",
                uptime: 400_000 + age, rtt: 310.5, streams: 1_000, streamLimit: 1_000, opened: 48_112,
                bytesIn: 77_000_000, bytesOut: 5_100_000_000_000),
        ]
    }

    /// An agent that would take over the terminal, or the plan of a command.
    static var hostileAgent: AgentStatus {
        let evil = "a\u{1B}[2Jb\u{9B}c\u{202E}d\u{1}0.id\u{1}\n"
        return AgentStatus(
            id: "ts_1", version: evil, client: evil, os: evil, ip: evil, region: evil, credentialID: evil,
            metadata: evil,
            tunnels: [AgentStatus.Tunnel(id: "tn_1", url: evil, labels: [evil: evil], forwardsTo: evil)])
    }

    /// An app that has seen as many ticks as fill an agent's minute.
    static func watched(role: Role = .operator, readOnly: Bool = false) -> App {
        var app = app(role: role, readOnly: readOnly)
        for sequence in UInt64(101)...161 { _ = app.receive(.line(.tick(tick(sequence))), now: 100) }
        app.press("5")
        return app
    }
}
