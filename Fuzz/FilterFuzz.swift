import Shared

/// The harness of filters for `scripts/fuzz`: compiled into one module with `Filter`, outside the package.
///
/// An input is the text of a filter. Whatever it is: nothing may trap, a refusal names a place in it, and what is read
/// means the same when it is in parentheses, and the opposite when it is negated, for an object of which everything is
/// set and for one of which nothing is. A broken promise is a crash, which libFuzzer keeps as a file.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let text = String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    FilterFuzz.run(text)
    return 0
}

private func promise(_ holds: Bool, _ text: StaticString) {
    if !holds { fatalError("\(text)") }
}

private enum FilterFuzz {
    private static let now = WallTime(seconds: 1_800_000_000)
    private static let reference = Shape("Ref", [Shape.Field("id", .text), Shape.Field("uri", .text)])
    private static let shape = Shape(
        "Thing",
        [
            Shape.Field("id", .text), Shape.Field("t", .time), Shape.Field("n", .integer), Shape.Field("d", .number),
            Shape.Field("b", .flag), Shape.Field("s", .text), Shape.Field("l", .texts), Shape.Field("m", .map(.text)),
            Shape.Field("r", .nullable(.object(reference))), Shape.Field("x", .anything),
        ])
    private static let objects: [JSON] = [
        [
            "id": "ep_1", "t": "2027-01-15T08:00:00Z", "n": 443, "d": 0.5, "b": true, "s": "text", "l": ["a", "b"],
            "m": ["a": "b"], "r": ["id": "rd_1", "uri": ""], "x": [1, nil],
        ],
        [:],
    ]

    static func run(_ text: String) {
        let filter: Filter
        do throws(Filter.Mistake) {
            filter = try Filter(text, on: shape, now: now)
        } catch {
            promise((0...text.utf8.count).contains(error.position), "a mistake has its place in the text")
            promise(!error.reason.isEmpty, "a mistake has a reason")
            return
        }
        let results = objects.map { filter.matches($0) }
        promise(objects.map { filter.matches($0) } == results, "a filter means the same every time")
        // One level more may be one too many.
        if let same = try? Filter("(\(text))", on: shape, now: now) {
            promise(objects.map { same.matches($0) } == results, "parentheses change nothing")
        }
        if let opposite = try? Filter("!(\(text))", on: shape, now: now) {
            promise(objects.map { !opposite.matches($0) } == results, "a negation means the opposite")
        }
    }
}
