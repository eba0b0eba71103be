/// Shares of a whole, as people read them.
enum Percent {
    /// The whole, in hundredths of a percent: what the API calls a weight then is the share itself.
    static let whole = 10_000

    /// Splits `total` in proportion to `parts` by the largest remainder; equal parts when all are 0.
    static func apportion(_ parts: [Int], total: Int) -> [Int] {
        guard !parts.isEmpty else { return [] }
        // Bounded, so that no document can make the products overflow.
        let parts = parts.map { min(max(0, $0), 1_000_000_000) }
        let sum = parts.reduce(0, +)
        let weights = sum > 0 ? parts : parts.map { _ in 1 }
        let whole = sum > 0 ? sum : parts.count
        var result = weights.map { $0 * total / whole }
        let order = weights.indices.sorted { one, other in
            let left = weights[one] * total % whole
            let right = weights[other] * total % whole
            return left != right ? left > right : one < other
        }
        var rest = total - result.reduce(0, +)
        for index in order where rest > 0 {
            result[index] += 1
            rest -= 1
        }
        return result
    }

    /// Weights as whole percents that sum to 100.
    static func whole(_ weights: [Int64]) -> [Int] {
        weights.allSatisfy { $0 == 0 }
            ? weights.map { _ in 0 } : apportion(weights.map { Int(clamping: $0) }, total: 100)
    }

    /// Hundredths of a percent as `84%`, or `12.5%` when it is no whole number.
    static func text(_ units: Int) -> String {
        if units % 100 == 0 { return "\(units / 100)%" }
        if units % 10 == 0 { return "\(units / 100).\(units % 100 / 10)%" }
        return "\(units / 100)." + (units % 100 < 10 ? "0" : "") + "\(units % 100)%"
    }

    /// Reads `12`, `12.5` or `12.5%` as hundredths of a percent; `nil` outside 0…100.
    static func units(_ text: String) -> Int? {
        let digits = text.hasSuffix("%") ? String(text.dropLast()) : text
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (48...57).contains($0) || $0 == 46 }),
            let value = Double(digits), (0...100).contains(value)
        else { return nil }
        return Int((value * 100).rounded())
    }
}
