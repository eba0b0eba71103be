import ConsoleKit
import Foundation
import Shared
import Testing

@testable import Console

/// The console's connections, with the time passed in and the server on the same thread.
@Suite(.serialized, .offThePool) struct `The link to the server` {
    private let path = NSTemporaryDirectory() + "selvage-link-\(UUID().uuidString.prefix(8)).sock"
    private let tag = RequestTag(number: 1)

    /// Lets link and server talk until a message comes.
    private func messages(_ link: AdminLink, _ server: ScriptedServer, now: Double) throws -> [Message] {
        for _ in 0..<1000 {
            server.service()
            let messages = link.advance(now: now)
            if !messages.isEmpty { return messages }
            usleep(1000)
        }
        throw Failure("no message")
    }

    @Test func `a server that is away is tried after pauses that double up to five seconds`() {
        let link = AdminLink(path: path)
        link.openStream(now: 100)
        var attempts: [Double] = []
        var now = 100.0
        for _ in 0..<8 {
            let messages = link.advance(now: now)
            guard case .linkLost = messages.first else {
                Issue.record("no loss at \(now)")
                return
            }
            attempts.append(now)
            // Asking again must not shorten the pause.
            link.openStream(now: now)
            #expect(link.advance(now: now + 0.01).isEmpty)
            now = link.deadline
        }
        #expect(zip(attempts.dropFirst(), attempts).map { $0 - $1 } == [0.25, 0.5, 1, 2, 4, 5, 5])
    }

    @Test func `lines of the stream come one by one and the end of the stream at once`() throws {
        let server = try ScriptedServer(path: path)
        let link = AdminLink(path: path)
        link.openStream(now: 0)
        guard case .streamBytes(let hello) = try messages(link, server, now: 0).first else {
            Issue.record("no hello")
            return
        }
        #expect(String(decoding: hello, as: UTF8.self).contains(#""type":"hello""#))
        server.stop()
        // The link's clock stands still, so that only the end itself can be the cause. The kernel tells of it once the
        // last copy of the server's socket is closed, and a program that another test just now starts may hold one
        // until its exec.
        var isLost = false
        for _ in 0..<1000 where !isLost {
            isLost = try messages(link, server, now: 1).contains { if case .linkLost = $0 { true } else { false } }
        }
        #expect(isLost)
    }

    @Test func `a stream that is silent for ten seconds is lost`() throws {
        let server = try ScriptedServer(path: path)
        let link = AdminLink(path: path)
        link.openStream(now: 0)
        _ = try messages(link, server, now: 0)
        // Whatever is still on its way is read first.
        while !link.advance(now: 0).isEmpty {}
        #expect(link.advance(now: 9.9).isEmpty)
        #expect(link.deadline == 10)
        guard case .linkLost(let reason) = link.advance(now: 10).first else {
            Issue.record("still open")
            return
        }
        #expect(reason.contains("10 s"))
    }

    @Test func `an answer finds back to its request with If-Match sent along`() throws {
        let server = try ScriptedServer(path: path)
        server.answers["PATCH /x"] = (412, #"{"msg":"stale"}"#)
        let link = AdminLink(path: path)
        link.send(APIRequest("PATCH", "/x", body: ["a": 1], ifMatch: "7"), tag: tag, now: 0)
        guard case .answer(tag, let status, let fields, let body) = try messages(link, server, now: 0).first else {
            Issue.record("no answer")
            return
        }
        #expect(status == 412 && String(decoding: body, as: UTF8.self) == #"{"msg":"stale"}"#)
        #expect(fields.contains { $0.name == "content-type" })
        #expect(server.requests.first?.fields["if-match"] == "\"7\"")
        #expect(server.requests.first?.body == #"{"a":1}"#)
    }

    @Test func `a request without an answer is of unknown outcome after ten seconds`() throws {
        let server = try ScriptedServer(path: path)
        server.isSilent = true
        let link = AdminLink(path: path)
        link.send(APIRequest("POST", "/selvage/apply"), tag: tag, now: 0)
        while server.requests.isEmpty {
            #expect(link.advance(now: 0).isEmpty)
            server.service()
        }
        #expect(link.advance(now: 9.9).isEmpty)
        guard case .unanswered(tag, let reason) = link.advance(now: 10).first else {
            Issue.record("still waiting")
            return
        }
        #expect(!reason.hasPrefix("not sent"))
    }

    @Test func `a request that could not be sent says so`() {
        let link = AdminLink(path: path)
        link.send(APIRequest("POST", "/selvage/apply"), tag: tag, now: 0)
        guard case .unanswered(tag, let reason) = link.advance(now: 0).first else {
            Issue.record("no message")
            return
        }
        #expect(reason.hasPrefix("not sent"))
    }

    @Test func `many requests at once are all answered, four at a time`() throws {
        let server = try ScriptedServer(path: path)
        let link = AdminLink(path: path)
        for number in 0..<20 {
            link.send(APIRequest("GET", "/r/\(number)"), tag: RequestTag(number: UInt64(number)), now: 0)
        }
        #expect(link.pollEntries.count == AdminLink.concurrency)
        var answered: Set<UInt64> = []
        while answered.count < 20 {
            for case .answer(let tag, 404, _, _) in try messages(link, server, now: 0) { answered.insert(tag.number) }
        }
        #expect(link.pollEntries.isEmpty)
    }

    @Test func `a path too long for a socket is an error and no crash`() {
        let link = AdminLink(path: String(repeating: "x", count: 300))
        link.openStream(now: 0)
        guard case .linkLost(let reason) = link.advance(now: 0).first else {
            Issue.record("no loss")
            return
        }
        #expect(reason.contains("too long"))
    }
}
