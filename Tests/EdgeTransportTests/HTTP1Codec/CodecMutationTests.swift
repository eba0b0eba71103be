import EdgeCore
import Testing

@testable import EdgeTransport

/// Random changes to messages: nothing traps, and cutting never changes the meaning. `scripts/fuzz` does the same for
/// longer, guided by coverage.
@Suite struct CodecMutationTests {
    @Test(arguments: 1...8)
    func `Mutated heads and bodies are read alike in one piece and in two`(seed: UInt64) {
        var chance = SeededChance(seed: seed &* 0x9E37_79B9)
        let heads = SplitTests.requests.map { Array($0.utf8) }
        let bodies = SplitTests.bodies.map { Array($0.utf8) }
        for round in 0..<1_500 {
            let head = mutated(heads, &chance)
            let cut = Int.random(in: 0...head.count, using: &chance)
            let part = scanRequest(Array(head[..<cut]))
            let whole = scanRequest(head)
            if part.outcome == "incomplete" {
                let due = expected(whole, of: head, cut: cut, incomplete: ReadRequest(outcome: "incomplete"))
                #expect(scanRequest(head, scanned: cut) == due, "seed \(seed), round \(round)")
            } else {
                #expect(part == whole, "seed \(seed), round \(round)")
            }
            let body = mutated(bodies, &chance)
            let at = Int.random(in: 0...body.count, using: &chance)
            let pieces = [Array(body[..<at]), Array(body[at...])]
            #expect(
                decode(.chunked, pieces: pieces) == decode(.chunked, pieces: [body]), "seed \(seed), round \(round)")
        }
    }

    /// A message of the list with some bytes replaced, removed, doubled or put in.
    private func mutated(_ messages: [[UInt8]], _ chance: inout SeededChance) -> [UInt8] {
        var bytes = messages[Int.random(in: 0..<messages.count, using: &chance)]
        let telling = Array("\r\n\t :;,=\"0aF+-\u{0}\u{7f}/*[]".utf8)
        for _ in 0..<Int.random(in: 0...4, using: &chance) where !bytes.isEmpty {
            let index = Int.random(in: 0..<bytes.count, using: &chance)
            let byte =
                Bool.random(using: &chance)
                ? telling[Int.random(in: 0..<telling.count, using: &chance)] : UInt8.random(in: 0...255, using: &chance)
            switch Int.random(in: 0..<4, using: &chance) {
            case 0: bytes[index] = byte
            case 1: bytes.remove(at: index)
            case 2: bytes.insert(byte, at: index)
            default: bytes.insert(contentsOf: bytes[index...].prefix(8), at: index)
            }
        }
        return bytes
    }
}
