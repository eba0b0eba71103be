import EdgeTesting
import Foundation

/// curl through the edge, trusting the server's own authority only.
struct Curl: Sendable {
    struct Answer: Sendable {
        var status: Int
        /// `1.1` or `2`.
        var version: String
        /// In lower case, as `name: value`.
        var fields: [String]
        var body: String

        func field(_ name: String) -> String? {
            fields.first { $0.hasPrefix(name + ": ") }.map { String($0.dropFirst(name.count + 2)) }
        }
    }

    private let base: [String]
    private let origin: String

    init(_ server: ServerProcess, domain: String) throws {
        let authority = try server.authorityFile()
        base = [
            "curl", "-sS", "-i", "--max-time", "50", "--cacert", authority,
            "--resolve", "\(domain):\(server.httpsPort):127.0.0.1",
        ]
        origin = "https://\(domain):\(server.httpsPort)"
    }

    func get(_ path: String, _ options: String...) throws -> Answer { try run(path, options) }

    func run(_ path: String, _ options: [String]) throws -> Answer {
        let command = try Command.run(base + options + [origin + path])
        guard command.status == 0 else { throw EndToEndFailure("curl \(path): \(command.errors)") }
        return try Curl.parse(command.output)
    }

    static func parse(_ output: String) throws -> Answer {
        var rest = output.replacingOccurrences(of: "\r\n", with: "\n")
        var head = ""
        // A 100 (Continue) comes before the answer proper.
        repeat {
            guard let end = rest.range(of: "\n\n") else { throw EndToEndFailure("no head in: \(output.prefix(200))") }
            head = String(rest[..<end.lowerBound])
            rest = String(rest[end.upperBound...])
        } while head.split(separator: " ").dropFirst().first?.hasPrefix("1") == true
        let lines = head.split(separator: "\n").map(String.init)
        let words = lines[0].split(separator: " ")
        let version = String(words[0].dropFirst("HTTP/".count))
        return Answer(
            status: Int(words.dropFirst().first ?? "") ?? 0, version: version,
            fields: lines.dropFirst().map { line in
                let parts = line.split(separator: ":", maxSplits: 1)
                return parts.count == 2 ? parts[0].lowercased() + ":" + parts[1] : line
            }, body: rest)
    }
}
