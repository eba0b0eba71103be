import Testing

@testable import EdgeCore

@Suite struct LatencyHistogramTests {
    @Test func `every value lies in its bucket, and a bucket is at most 3,2 percent wide`() {
        var values = Array(UInt64(0)...5000)
        for exponent in 12..<32 { values += [(1 << exponent) - 1, 1 << exponent, (1 << exponent) + 1] }
        var last = 0
        for value in values.sorted() {
            let bucket = LatencyHistogram.bucket(value)
            let (lowest, width) = LatencyHistogram.range(bucket)
            #expect(lowest <= value && value < lowest + width)
            #expect(Double(width) <= max(1, Double(lowest) * 0.032))
            #expect(bucket >= last && bucket < LatencyHistogram.buckets)
            last = bucket
        }
        #expect(LatencyHistogram.bucket(.max) == LatencyHistogram.buckets - 1)
    }

    @Test func `percentiles are those of the values, within the width of a bucket`() throws {
        var chance = Chance(7)
        for _ in 0..<20 {
            var histogram = LatencyHistogram()
            var values: [UInt64] = []
            for _ in 0..<Int.random(in: 1...3000, using: &chance) {
                let value = chance.next() >> UInt64.random(in: 34...63, using: &chance)
                values.append(value)
                histogram.record(microseconds: value)
            }
            values.sort()
            for p in [0, 1, 50, 95, 99, 99.9, 100] {
                let rank = max(Int((p / 100 * Double(values.count)).rounded(.up)), 1)
                let exact = Double(values[rank - 1]) / 1000
                let given = try #require(histogram.percentile(p))
                #expect(abs(given - exact) <= exact * 0.017 + 0.0005)
            }
            #expect(histogram.count == UInt64(values.count))
        }
    }

    @Test func `an empty histogram has no percentile`() {
        #expect(LatencyHistogram().percentile(50) == nil)
        #expect(LatencyHistogram() == LatencyHistogram().subtracting(LatencyHistogram()))
    }

    @Test func `sums and differences are those of the recordings`() {
        var chance = Chance(8)
        var first = LatencyHistogram()
        var second = LatencyHistogram()
        for _ in 0..<1000 { first.record(microseconds: chance.next() >> 50) }
        for _ in 0..<500 { second.record(microseconds: chance.next() >> 40) }
        var sum = first
        sum.add(second)
        #expect(sum.count == 1500)
        let difference = sum.subtracting(first)
        #expect(difference.count == 500)
        for p in [1.0, 50, 99] { #expect(difference.percentile(p) == second.percentile(p)) }
        var other = second
        other.add(first)
        #expect(other.percentile(90) == sum.percentile(90))
        #expect(first.subtracting(sum).count == 0)
    }

    @Test func `what takes longer than the scale counts as its end`() throws {
        var histogram = LatencyHistogram()
        histogram.record(microseconds: .max)
        #expect(try #require(histogram.percentile(50)) > 3_600_000)
    }
}
