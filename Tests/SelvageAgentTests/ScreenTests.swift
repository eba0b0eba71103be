import Foundation
import Shared
import Testing

@testable import SelvageAgent

@Suite struct ScreenTests {
    private func busy(tunnels: Int = 2) throws -> AgentModel {
        var model = try Sample.model(connections: 2, tunnels: tunnels)
        model.take(Sample.connected(), now: 1001)
        model.take(Sample.online("t0"), now: 1001)
        model.take(.tunnelFailed(session: 0, name: "t1", code: "ERR_NGROK_334", text: "already online"), now: 1001)
        model.take(.connectionOpened(tunnel: "t0", client: "c"), now: 1001)
        model.take(.traffic(tunnel: "t0", bytesIn: 20_480, bytesOut: 3_145_728), now: 1001)
        let summary = ConnectionSummary(bytesIn: 0, bytesOut: 0, duration: 2.5, firstByte: 0.0042)
        model.take(.connectionClosed(tunnel: "t0", summary), now: 1001)
        return model
    }

    @Test func `the screen of 80x24 says what there is to know`() throws {
        let screen = StatusScreen(columns: 80, rows: 24, unicode: true, color: false)
        let lines = screen.lines(try busy(), now: 1011)
        #expect(
            lines.joined(separator: "\n") == """
                ● partly online  edge.example:4443                                  ctrl-c stops
                region eu  latency 12 ms  sessions 1/2  up 10 s

                connections 0 open  total 1  new 0.1/s
                in 2 KiB/s  out 307 KiB/s  total 20 KiB / 3 MiB
                first byte p50 4.2 ms  p90 4.2 ms  duration p50 2.5 s  p90 2.5 s

                ● t0   https://t0.example → http://localhost:8000  0 open
                ✗ t1   already online (ERR_NGROK_334)

                Last errors
                10 s ago   t1: already online (ERR_NGROK_334)
                """)
    }

    @Test(arguments: [(80, 24), (40, 12), (20, 4), (3, 1), (200, 60)])
    func `no line is wider and no screen higher than the terminal, in colour or not`(size: (Int, Int)) throws {
        var model = try busy(tunnels: 40)
        for index in 0..<30 {
            let text = "错误 \(index) " + String(repeating: "长", count: 100)
            model.take(.upstreamFailed(tunnel: "t0", text: text), now: 1002)
        }
        for color in [false, true] {
            let screen = StatusScreen(columns: size.0, rows: size.1, unicode: true, color: color)
            let lines = screen.lines(model, now: 1011)
            #expect(lines.count <= max(4, size.1))
            for line in lines { #expect(Sanitiser.width(plain(line)) <= max(20, size.0), "\(line)") }
        }
    }

    @Test func `a small screen keeps a tunnel, says how many are missing, and has the last error`() throws {
        let lines = StatusScreen(columns: 40, rows: 12, unicode: true, color: false).lines(
            try busy(tunnels: 40), now: 1011)
        #expect(lines.count <= 12)
        #expect(lines.contains { $0.contains("t0") })
        #expect(lines.contains { $0.contains("more") })
    }

    @Test func `nothing that a stranger sends moves the cursor or turns the writing`() throws {
        var model = try Sample.model()
        let evil = "a\u{1B}[2J\u{9B}31m\u{7}\r\n\u{202E}b\u{200B}"
        model.take(.connected(session: 0, id: evil, region: evil, rtt: nil), now: 1001)
        model.take(.tunnelOnline(session: 0, name: "t0", place: .url(evil), id: evil), now: 1001)
        model.take(.disconnected(session: 0, reason: evil), now: 1002)
        model.take(.upstreamFailed(tunnel: "t0", text: evil), now: 1002)
        for color in [false, true] {
            let text = StatusScreen(columns: 80, rows: 24, unicode: true, color: color).lines(model, now: 1003)
                .joined()
            let bare = plain(text)
            #expect(bare.contains("[2J"))
            #expect(!bare.unicodeScalars.contains { $0.value < 0x20 || (0x7F...0x9F).contains($0.value) })
            #expect(!bare.unicodeScalars.contains { $0.value == 0x202E || $0.value == 0x200B })
        }
    }

    @Test func `an ASCII screen is ASCII`() throws {
        let lines = StatusScreen(columns: 80, rows: 24, unicode: false, color: true).lines(try busy(), now: 1011)
        #expect(lines.joined().unicodeScalars.allSatisfy { $0.isASCII })
        #expect(lines.joined().contains("->"))
    }

    @Test func `colour is on only when asked for, and off at the end of each line`() throws {
        let model = try busy()
        let plainLines = StatusScreen(columns: 80, rows: 24, unicode: true, color: false).lines(model, now: 1011)
        #expect(!plainLines.joined().contains("\u{1B}"))
        let colored = StatusScreen(columns: 80, rows: 24, unicode: true, color: true).lines(model, now: 1011)
        #expect(colored.map(plain) == plainLines)
        #expect(colored[0].contains("\u{1B}[33m"))
        for line in colored where line.contains("\u{1B}") {
            let codes = line.matches(of: /\u{1B}\[([0-9]+)m/).map { String($0.1) }
            #expect(codes.last == "0", "\(line)")
        }
    }

    @Test func `an agent without a session tells when it tries again`() throws {
        var model = try Sample.model()
        model.take(.disconnected(session: 0, reason: "connection refused"), now: 1001)
        model.take(.retrying(session: 0, seconds: 7.2), now: 1001)
        let lines = StatusScreen(columns: 80, rows: 24, unicode: true, color: false).lines(model, now: 1002)
        #expect(lines[0].hasPrefix("✗ offline, next try in 7 s  edge.example:4443"))
        #expect(lines.contains { $0.contains("connection refused") })
    }

    private func plain(_ text: String) -> String { text.replacing(/\u{1B}\[[0-9]+m/, with: "") }

    // MARK: Log lines

    static let time = "2026-11-21T01:15:00.250Z"
    static let events: [(AgentEvent, String, String)] = [
        (
            .connecting(session: 0, server: "edge.example:4443"), "connecting session=0 server=edge.example:4443",
            #""event":"connecting","server":"edge.example:4443","session":0"#
        ),
        (
            .connected(session: 1, id: "ts_1", region: "eu", rtt: 0.0123456789),
            "connected session=1 region=eu id=ts_1 rtt=0.012346",
            #""event":"connected","id":"ts_1","region":"eu","rtt":0.012346,"session":1"#
        ),
        (
            .refused(session: 0, code: "ERR_NGROK_107", text: "not valid"),
            "refused session=0 code=ERR_NGROK_107 error=\"not valid\"",
            #""code":"ERR_NGROK_107","error":"not valid","event":"refused","session":0"#
        ),
        (
            .disconnected(session: 0, reason: ""), "disconnected session=0 reason=\"\"",
            #""event":"disconnected","reason":"","session":0"#
        ),
        (.retrying(session: 0, seconds: 0.5), "retrying session=0 seconds=0.5", #""event":"retrying","seconds":0.5"#),
        (.latency(session: 0, seconds: 0.01), "latency session=0 seconds=0.01", #""event":"latency""#),
        (
            .tunnelOnline(session: 0, name: "a b", place: .labels(["app": "x", "v": "1"]), id: "tn_1"),
            "tunnel_online tunnel=\"a b\" labels=app=x,v=1 id=tn_1 session=0",
            #""event":"tunnel_online","id":"tn_1","labels":{"app":"x","v":"1"}"#
        ),
        (
            .tunnelOnline(session: 0, name: "a", place: .url("https://x"), id: "tn_1"),
            "tunnel_online tunnel=a url=https://x id=tn_1 session=0", #""url":"https://x""#
        ),
        (
            .tunnelFailed(session: 0, name: "a", code: "", text: "no"),
            "tunnel_failed tunnel=a code=\"\" error=no session=0", #""event":"tunnel_failed""#
        ),
        (
            .connectionOpened(tunnel: "a", client: "[::1]:9"), "connection_opened tunnel=a client=[::1]:9",
            #""client":"[::1]:9","event":"connection_opened""#
        ),
        (
            .connectionClosed(tunnel: "a", .init(bytesIn: 1, bytesOut: .max, duration: 2, firstByte: 0.5)),
            "connection_closed tunnel=a bytes_in=1 bytes_out=9223372036854775807 duration=2 first_byte=0.5",
            #""bytes_in":1,"bytes_out":9223372036854775807,"duration":2,"event":"connection_closed","first_byte":0.5"#
        ),
        (
            .traffic(tunnel: "a", bytesIn: 1, bytesOut: 2), "traffic tunnel=a bytes_in=1 bytes_out=2",
            #""event":"traffic""#
        ),
        (
            .upstreamFailed(tunnel: "a", text: "refused"), "upstream_failed tunnel=a error=refused",
            #""event":"upstream_failed""#
        ),
        (.draining(open: 3), "draining open=3", #""event":"draining","open":3"#),
        (.stopped, "stopped", #""event":"stopped""#),
    ]

    @Test(arguments: events)
    func `every event is one plain line and one JSON object`(event: AgentEvent, plain: String, json: String) throws {
        #expect(LogLine.plain(event, time: Self.time) == "\(Self.time) \(plain)")
        let line = LogLine.json(event, time: Self.time)
        #expect(line.contains(json), "\(line)")
        #expect(try JSON(parsing: Array(line.utf8))["time"] == .string(Self.time))
    }

    @Test func `a line of a log is one line, whatever a stranger sends`() {
        let evil = "a\nb\u{1B}[2J\u{85}\u{2028}c\u{202E}\u{7F}\u{9B}"
        let event = AgentEvent.tunnelOnline(session: 0, name: evil, place: .labels([evil: evil]), id: evil)
        for line in [LogLine.plain(event, time: "t"), LogLine.json(event, time: "t")] {
            #expect(line.contains("[2J"))
            #expect(
                !line.unicodeScalars.contains {
                    $0.value < 0x20 || (0x7F...0x9F).contains($0.value) || [0x2028, 0x202E].contains($0.value)
                })
        }
    }

    @Test func `figures are short`() {
        #expect(
            [0, 1023, 1024, 1536, 10_240, 1_048_575, 5e13].map(Figures.bytes) == [
                "0 B", "1023 B", "1 KiB", "1.5 KiB", "10 KiB", "1 MiB", "45 TiB",
            ])
        #expect(
            [0.0002, 0.0123, 0.9999, 1.5, 99, 100, 7200, 200_000].map { Figures.time($0) } == [
                "0.2 ms", "12 ms", "1 s", "1.5 s", "99 s", "1 min", "2 h", "2 d",
            ])
        #expect(Figures.time(nil) == "-" && Figures.time(.nan) == "-")
    }
}
