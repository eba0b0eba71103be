import Shared
import Testing

@testable import EdgeControl

struct GuardedChangeTests {
    private func weights(_ before: [String: JSON]?, _ after: [String: JSON]?) -> [String] {
        GuardedChange.watched([
            AuditRecord.Change(
                kind: "backend", id: "w", before: before.map { ["backends": .object($0)] },
                after: after.map { ["backends": .object($0)] })
        ])
    }

    @Test func `a change of weights is told by the children that get more`() {
        #expect(weights(["a": 95, "b": 5], ["a": 80, "b": 20]) == ["b"])
        #expect(weights(["a": 100, "b": 0], ["a": 100, "b": 1]) == ["b"])
        #expect(weights(["a": 100], ["a": 90, "c": 10]) == ["c"])
    }

    @Test func `a child gets more when another one loses its weight`() {
        #expect(weights(["a": 50, "b": 50], ["a": 50, "b": 0]) == ["a"])
        #expect(weights(["a": 10, "b": 10], ["a": 20, "b": 40]) == ["a", "b"])
    }

    @Test func `other changes are told by the objects themselves`() {
        #expect(weights(["a": 1], ["a": 1]) == ["w"])
        let changes = [
            AuditRecord.Change(kind: "route", id: "r", before: ["match": "/"], after: ["match": "/x"]),
            AuditRecord.Change(kind: "tcp_edge", id: "e", before: nil, after: [:]),
            AuditRecord.Change(kind: "backend", id: "s", before: ["address": "a"], after: ["address": "b"]),
            AuditRecord.Change(kind: "backend", id: "f", before: ["backends": []], after: ["backends": ["s"]]),
            AuditRecord.Change(kind: "reserved_domain", id: "d", before: [:], after: [:]),
        ]
        #expect(GuardedChange.watched(changes) == ["e", "f", "r", "s"])
    }

    @Test func `what was deleted tells nothing`() {
        #expect(weights(["a": 1], nil).isEmpty)
        #expect(GuardedChange.watched([AuditRecord.Change(kind: "route", id: "r", before: [:], after: nil)]).isEmpty)
    }
}
