import Shared
import Testing

@testable import EdgeCore

@Suite struct BalanceStatesTests {
    /// Lets `steps` choices be made and checks each child's count after every one of them.
    private func expectQuota(_ weights: [Int64], steps: Int, seed: Int = 0) {
        let table = WeightTable(weights)
        var states = BalanceStates(seed: seed)
        var chosen = weights.map { _ in Int64(0) }
        let sum = weights.reduce(0, +)
        var worst = 0.0
        for step in 1...steps {
            let index = states.next(slot: 3, weights: table)
            #expect(weights[index] > 0)
            chosen[index] += 1
            for child in weights.indices {
                // |chosen − n·w/W| < 1, in whole numbers.
                let difference = abs(chosen[child] * sum - Int64(step) * weights[child])
                worst = max(worst, Double(difference) / Double(sum))
            }
        }
        #expect(worst < 1, "weights \(weights)")
    }

    @Test(
        arguments: [
            [95, 5], [1, 1], [99, 1], [9999, 1], [10000, 10000], [3, 1], [0, 7], [5, 0, 3],
            [1, 2, 3, 4, 5, 6, 7, 8, 9],
            [1], [10000, 1, 1, 1], [7, 7, 7], [2, 3, 5, 7, 11, 13],
        ] as [[Int64]])
    func `C42 each child has its share after every choice, within less than one`(weights: [Int64]) {
        expectQuota(weights, steps: 12_000)
    }

    @Test func `C42 the same for any weights and any seed`() {
        var chance = Chance(9)
        for seed in 0..<300 {
            let size = Int.random(in: 1...64, using: &chance)
            let tops: [Int64] = [3, 20, 100, 10_000]
            let top = tops[Int.random(in: 0..<tops.count, using: &chance)]
            var weights = (0..<size).map { _ in Int64.random(in: 0...top, using: &chance) }
            if weights.allSatisfy({ $0 == 0 }) { weights[0] = 1 }
            expectQuota(weights, steps: 400, seed: seed)
        }
    }

    @Test func `C43 a canary of one percent gets one request of each hundred`() {
        let table = WeightTable([9900, 100])
        var states = BalanceStates()
        for _ in 0..<50 {
            let canary = (0..<100).count { _ in states.next(slot: 0, weights: table) == 1 }
            #expect(canary == 1)
        }
    }

    @Test func `C44 a change of the weights begins a new cycle, equal weights go on`() {
        var states = BalanceStates()
        let before = WeightTable([3, 1])
        #expect((0..<3).map { _ in states.next(slot: 0, weights: before) } == [0, 0, 0])
        // A new cycle would begin with the first child.
        #expect(states.next(slot: 0, weights: WeightTable([30, 10])) == 1)
        // A new cycle of 1:3, which begins with the heavier one.
        let after = WeightTable([1, 3])
        #expect((0..<4).map { _ in states.next(slot: 0, weights: after) }.count { $0 == 1 } == 3)
    }

    @Test func `backends have turns of their own`() {
        var states = BalanceStates()
        let table = WeightTable([1, 1])
        #expect(states.next(slot: 0, weights: table) == 0)
        #expect(states.next(slot: 5, weights: table) == 0)
        #expect(states.next(slot: 0, weights: table) == 1)
        #expect(states.next(slot: 5, weights: table) == 1)
    }

    @Test func `loops with different seeds begin with different children`() {
        let table = WeightTable([1, 1, 1, 1])
        let first = (0..<4).map { seed in
            var states = BalanceStates(seed: seed)
            return states.next(slot: 0, weights: table)
        }
        #expect(Set(first).count == 4)
    }

    @Test func `states of backends that are gone are dropped`() {
        var states = BalanceStates()
        let kept = WeightTable([3, 2])
        #expect(states.next(slot: 0, weights: kept) == 0)
        for slot in 1...5000 { _ = states.next(slot: Int32(slot), weights: WeightTable([1, 1])) }
        #expect(states.count <= 130)
        // Its turn has survived every sweep.
        #expect(states.next(slot: 0, weights: kept) == 1)
    }

    @Test func `no weight means no choice`() {
        #expect(WeightTable([]).isEmpty)
        #expect(WeightTable([0, 0]).isEmpty)
        #expect(!WeightTable([0, 1]).isEmpty)
    }
}
