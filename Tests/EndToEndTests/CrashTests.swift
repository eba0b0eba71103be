import EdgeTesting
import Foundation
import Shared
import Synchronization
import Testing

extension EndToEnd {
    /// Several writers at once, each with another kind of write, and the server killed in the middle of them.
    @Suite struct CrashTests {
        @Test func `every acknowledged write of many writers survives kill -9, and none is there by half`() async throws
        {
            let problems = try await EndToEnd.onThread {
                let server = try ServerProcess()
                let writers = try CrashWriters(server)
                for round in 0..<8 {
                    try writers.writeUntilKilled(after: 4 + round * 9, pause: round * 7 % 13)
                    try server.start()
                    let found = try writers.problems()
                    guard found.isEmpty else { return found.map { "round \(round): \($0)" } }
                }
                return []
            }
            #expect(problems == [])
        }
    }
}

/// Writers with a ledger of what they asked for and what was acknowledged.
private final class CrashWriters: Sendable {
    private struct Ledger {
        var acknowledged = 0
        var made: Set<String> = []
        var deleted: Set<String> = []
        /// Policies made with their two rules in one apply.
        var whole: Set<String> = []
        /// Numbers that grow by one with each write: the latest asked for, and the latest acknowledged.
        var asked = ["counter": 0, "pair": 0]
        var counted = ["counter": 0, "pair": 0]
    }

    private let server: ServerProcess
    private let counter: String
    private let pair: [String]
    private let ledger = Mutex(Ledger())

    init(_ server: ServerProcess) throws {
        self.server = server
        counter = try server.create("/ip_policies", ["metadata": "0"])
        pair = [
            try server.create("/ip_policies", ["metadata": "0"]), try server.create("/ip_policies", ["metadata": "0"]),
        ]
    }

    /// All write as fast as they are answered. The moment of the end is given by how many writes were acknowledged
    /// and a pause after that, which both differ from round to round.
    func writeUntilKilled(after count: Int, pause milliseconds: Int) throws {
        let start = ledger.withLock { $0.acknowledged }
        let ended = DispatchSemaphore(value: 0)
        let writers: [@Sendable () throws -> Bool] = [
            { try self.make() }, { try self.makeAndDelete() }, { try self.apply() }, { try self.count() },
            { try self.countPair() },
        ]
        for writer in writers {
            let thread = Thread {
                while (try? writer()) == true { self.ledger.withLock { $0.acknowledged += 1 } }
                ended.signal()
            }
            thread.start()
        }
        try EndToEnd.wait(for: "\(count) writes") { ledger.withLock { $0.acknowledged } - start >= count }
        usleep(UInt32(milliseconds) * 1000)
        server.kill()
        for _ in writers {
            guard ended.wait(timeout: .now() + 60) == .success else { throw EndToEndFailure("a writer hangs") }
        }
    }

    // MARK: Writers: whether the write was acknowledged

    private func make() throws -> Bool {
        let answer = try server.request("POST", "/ip_policies", ["description": "made"])
        guard answer.status == 201, let id = answer.body["id"]?.stringValue else { return false }
        return ledger.withLock { $0.made.insert(id).inserted }
    }

    private func makeAndDelete() throws -> Bool {
        let made = try server.request("POST", "/ip_policies", ["description": "to be deleted"])
        guard made.status == 201, let id = made.body["id"]?.stringValue else { return false }
        guard try server.request("DELETE", "/ip_policies/\(id)").status == 204 else { return false }
        return ledger.withLock { $0.deleted.insert(id).inserted }
    }

    private func apply() throws -> Bool {
        let rule = { (action: JSON, cidr: JSON) -> JSON in
            [
                "method": "POST", "path": "/ip_policy_rules",
                "body": ["ip_policy_id": "${new:policy}", "action": action, "cidr": cidr],
            ]
        }
        let answer = try server.request(
            "POST", "/selvage/apply",
            [
                "operations": [
                    ["method": "POST", "path": "/ip_policies", "as": "policy", "body": ["description": "whole"]],
                    rule("allow", "10.0.0.0/8"), rule("deny", "10.1.0.0/16"),
                ]
            ])
        guard answer.status == 200,
            let id = answer.body["results"]?.arrayValue?.first?["body"]?["id"]?.stringValue
        else { return false }
        return ledger.withLock { $0.whole.insert(id).inserted }
    }

    private func count() throws -> Bool {
        let number = next("counter")
        let answer = try server.request("PATCH", "/ip_policies/\(counter)", ["metadata": .string(String(number))])
        return counted("counter", number, answer.status)
    }

    private func countPair() throws -> Bool {
        let number = next("pair")
        let operations = pair.map { id -> JSON in
            ["method": "PATCH", "path": .string("/ip_policies/\(id)"), "body": ["metadata": .string(String(number))]]
        }
        let answer = try server.request("POST", "/selvage/apply", ["operations": .array(operations)])
        return counted("pair", number, answer.status)
    }

    private func next(_ name: String) -> Int {
        ledger.withLock { ledger in
            ledger.asked[name, default: 0] += 1
            return ledger.asked[name, default: 0]
        }
    }

    private func counted(_ name: String, _ number: Int, _ status: Int) -> Bool {
        guard status == 200 else { return false }
        ledger.withLock { $0.counted[name] = number }
        return true
    }

    // MARK: What is there afterwards

    func problems() throws -> [String] {
        let ledger = ledger.withLock { $0 }
        let objects = try server.send("GET", "/selvage/configuration")["objects"]?.arrayValue ?? []
        let policies = Dictionary(
            uniqueKeysWithValues: objects.filter { $0["kind"] == "ip_policy" }.map {
                ($0["id"]?.stringValue ?? "", $0["document"] ?? .null)
            })
        var rules: [String: Int] = [:]
        for rule in objects where rule["kind"] == "ip_policy_rule" {
            rules[rule["document"]?["ip_policy"]?["id"]?.stringValue ?? "", default: 0] += 1
        }
        let number = { (id: String) in policies[id]?["metadata"]?.stringValue.flatMap { Int($0) } ?? -1 }
        var problems: [String] = []
        for id in ledger.made.union(ledger.whole) where policies[id] == nil { problems.append("\(id) is lost") }
        for id in ledger.deleted where policies[id] != nil { problems.append("\(id) is back") }
        for (id, policy) in policies where policy["description"] == "whole" && rules[id] != 2 {
            problems.append("\(id) has \(rules[id] ?? 0) rules")
        }
        if number(pair[0]) != number(pair[1]) {
            problems.append("the pair is at \(number(pair[0])) and \(number(pair[1]))")
        }
        for (name, id) in [("counter", counter), ("pair", pair[0])] {
            let allowed = ledger.counted[name, default: 0]...ledger.asked[name, default: 0]
            if !allowed.contains(number(id)) { problems.append("the \(name) is at \(number(id)), not in \(allowed)") }
        }
        return problems + (try historyProblems(policies.count))
    }

    /// The history has what the configuration has, revision for revision.
    private func historyProblems(_ count: Int) throws -> [String] {
        let now = try server.send("GET", "/selvage/revision")["revision"]?.intValue ?? -1
        var page = try server.send("GET", "/selvage/revisions?limit=1000")
        var revisions = page["revisions"]?.arrayValue?.compactMap { $0["revision"]?.intValue } ?? []
        while let before = page["next_before"]?.intValue {
            page = try server.send("GET", "/selvage/revisions?limit=1000&before=\(before)")
            revisions += page["revisions"]?.arrayValue?.compactMap { $0["revision"]?.intValue } ?? []
        }
        guard revisions == Array((1...now).reversed()) else { return ["revisions are missing in the history"] }
        let answer = try server.send("POST", "/selvage/revert", ["revision": 0, "dry_run": true])
        let removed = (answer["changes"]?.arrayValue ?? []).filter { $0["kind"] == "ip_policy" }.count
        let isWhole = (answer["omitted"]?.intValue ?? 0) > 0 || removed == count
        return isWhole ? [] : ["the history knows \(removed) of \(count) policies"]
    }
}
