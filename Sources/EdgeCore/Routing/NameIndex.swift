/// Byte strings and their numbers, found by hash: open addressing with linear probing, at most half full.
///
/// The keys are configured by the operator; what strangers choose is only what is looked up, so nobody can build
/// long clusters from outside.
struct NameIndex: Sendable {
    private struct Entry: Sendable {
        var hash: UInt64
        var start: Int32
        var count: Int32
        /// -1 in an empty place.
        var number: Int32
    }

    private var entries: ContiguousArray<Entry>
    private var bytes: ContiguousArray<UInt8> = []
    private let mask: Int

    /// - Parameter names: with their numbers; of equal names the first counts.
    init(_ names: [(bytes: [UInt8], hash: UInt64, number: Int32)]) {
        var capacity = 1
        while capacity < names.count * 2 { capacity *= 2 }
        mask = capacity - 1
        entries = ContiguousArray(
            repeating: Entry(hash: 0, start: 0, count: 0, number: -1), count: names.isEmpty ? 0 : capacity)
        for name in names where find(name.bytes, hash: name.hash) == nil {
            var place = NameIndex.place(name.hash, mask)
            while entries[place].number >= 0 { place = (place + 1) & mask }
            entries[place] = Entry(
                hash: name.hash, start: Int32(bytes.count), count: Int32(name.bytes.count), number: name.number)
            bytes.append(contentsOf: name.bytes)
        }
    }

    var isEmpty: Bool { entries.isEmpty }

    /// Every name that counts, in no order.
    var names: [(bytes: [UInt8], hash: UInt64, number: Int32)] {
        entries.filter { $0.number >= 0 }.map { entry in
            (Array(bytes[Int(entry.start)..<Int(entry.start + entry.count)]), entry.hash, entry.number)
        }
    }

    private func find(_ name: [UInt8], hash: UInt64) -> Int32? {
        name.withUnsafeBufferPointer { find($0, hash: hash) }
    }

    /// The number of `name`, whose hash is given.
    func find(_ name: UnsafeBufferPointer<UInt8>, hash: UInt64) -> Int32? {
        guard !entries.isEmpty else { return nil }
        return entries.withUnsafeBufferPointer { entries in
            var place = NameIndex.place(hash, mask)
            while entries[place].number >= 0 {
                let entry = entries[place]
                if entry.hash == hash, Int(entry.count) == name.count, equals(entry, name) { return entry.number }
                place = (place + 1) & mask
            }
            return nil
        }
    }

    private func equals(_ entry: Entry, _ name: UnsafeBufferPointer<UInt8>) -> Bool {
        bytes.withUnsafeBufferPointer { bytes in
            let start = Int(entry.start)
            for index in 0..<name.count where bytes[start + index] != name[index] { return false }
            return true
        }
    }

    /// The longest run of entries that one lookup may have to pass: the cost, for tests.
    var longestProbe: Int {
        var longest = 0
        var run = 0
        for index in 0..<entries.count * 2 {
            run = entries[index & mask].number >= 0 ? run + 1 : 0
            longest = max(longest, min(run, entries.count))
        }
        return longest
    }

    /// FNV's low bits mix worst of all, so the place is taken from the whole word.
    @inline(__always)
    private static func place(_ hash: UInt64, _ mask: Int) -> Int {
        Int(truncatingIfNeeded: (hash &* 0x9E37_79B9_7F4A_7C15) >> 32) & mask
    }
}

/// FNV-1a over bytes: it can be stopped anywhere, which is what finding prefixes and suffixes needs.
enum ByteHash {
    static let start: UInt64 = 0xCBF2_9CE4_8422_2325

    @inline(__always)
    static func step(_ hash: UInt64, _ byte: UInt8) -> UInt64 { (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }

    static func forward(_ bytes: some Sequence<UInt8>) -> UInt64 { bytes.reduce(start, step) }
}
