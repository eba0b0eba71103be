import Foundation
import SelvageAgent

/// A web service without an open port, as an example of `TunnelListener`: tells visitors what they asked for.
///
///     SELVAGE_AUTHTOKEN=… selvage-agent-example edge.example:4443 [authorities.pem]
///
/// Visitors come by an edge with a tunnel group backend for the label `app=echo`.
@main struct EchoAgent {
    static func main() async throws {
        let arguments = CommandLine.arguments.dropFirst()
        var settings = AgentSettings(
            server: try ServerAddress(arguments.first ?? "localhost"),
            authtoken: try Authtoken(ProcessInfo.processInfo.environment["SELVAGE_AUTHTOKEN"] ?? ""))
        if let authorities = arguments.dropFirst().first { settings.trust = .file(authorities) }
        let listener = try TunnelListener(settings, labels: ["app": "echo"])
        try await listener.run(events: { print($0) }, serve)
    }

    /// Answers a visitor's requests, one after the other, until they ask no more.
    @Sendable static func serve(_ connection: TunnelConnection) async throws {
        var received = ""
        while let bytes = try await connection.read() {
            received += String(decoding: bytes, as: UTF8.self)
            while let end = received.firstRange(of: "\r\n\r\n") {
                let head = received[..<end.lowerBound]
                received.removeSubrange(..<end.upperBound)
                // What follows a head like this is a body, which nobody reads here: it is the last request.
                let hasBody = ["content-length:", "transfer-encoding:"].contains { head.lowercased().contains($0) }
                try await connection.write(answer(to: head, isLast: hasBody))
                if hasBody { return }
            }
        }
    }

    static func answer(to head: Substring, isLast: Bool) -> String {
        let body = "You asked: \(head.prefix { $0 != "\r\n" })\n"
        return """
            HTTP/1.1 200 OK\r
            Content-Type: text/plain\r
            Content-Length: \(body.utf8.count)\r
            Connection: \(isLast ? "close" : "keep-alive")\r
            \r
            \(body)
            """
    }
}
