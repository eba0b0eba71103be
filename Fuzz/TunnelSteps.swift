/// An input as steps of a peer that knows the protocol and of the callers. A step is one byte for what is done and one
/// for the stream or the amount.
struct Steps {
    private var bytes: UnsafeRawBufferPointer
    private var position = 0
    private var next: UInt32 = 0
    private var frame: [UInt8] = []

    init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    private mutating func byte() -> UInt8 {
        guard position < bytes.count else { return 0 }
        defer { position += 1 }
        return bytes[position]
    }

    static let openings: [(StaticString, UInt32)] = [
        (#"{"Extra":{"AuthToken":"t"}}"#, 0), (#"{"Extra":{"AuthToken":"bad"}}"#, 0),
        (#"{"Extra":{"Selvage":{"Version":1,"Streams":50}}}"#, 0), (#"{"Id":"","Proto":"https","Opts":{}}"#, 1),
        (#"{"Id":"t"}"#, 2), ("{}", 8), ("{}", 4), (#"{"Id":"t"}"#, 9), ("abcd", 0xFFFF_FFFF), ("{", 7), ("", 0),
        (#"{"Version":"3","ClientId":"c","Extra":{"Selvage":{"Version":1,"Streams":50}}}"#, 99), ("{}", 11),
    ]
    static let header = "\u{3}\u{1f}\0\0\0\0\0\0\0{\"Id\":\"t\",\"EdgeType\":\"3\",\"a\":1}"

    mutating func frame(_ type: UInt8, _ flags: UInt8, _ id: UInt32, _ payload: [UInt8]) {
        frame += [UInt8(payload.count >> 16), UInt8(payload.count >> 8 & 255), UInt8(payload.count & 255)]
        frame.append(type << 4 | flags)
        withUnsafeBytes(of: id.bigEndian) { frame += $0 }
        frame += payload
    }

    mutating func run(_ drill: any Drill) {
        // The peer's first identifier is of the other parity.
        next = drill.mux.role == .server ? 3 : 2
        while position < bytes.count, !drill.isOver {
            frame = []
            step(drill)
            frame.withUnsafeBytes { drill.take($0) }
        }
        drill.isDeaf = false
        drill.late()
    }

    private func number(_ value: UInt32) -> [UInt8] { withUnsafeBytes(of: value.bigEndian) { Array($0) } }

    private mutating func step(_ drill: any Drill) {
        let what = byte()
        let which = byte()
        // A stream of either side, among the first or the last.
        let id = which < 128 ? UInt32(which) : next &- UInt32(which & 15)
        switch what % 16 {
        case 0, 1: open(which, what, drill.mux.role)
        case 2: frame(1, 0, id, [UInt8](repeating: what, count: Int(what) * 40))
        case 3: frame(1, 1, id, [])
        case 4: frame(0, 0, id, number(UInt32(what)))
        case 5: frame(2, 0, id, number(UInt32(what) << 14 | 1))
        case 6: frame(1, 0, id, Array(#"{"Version":"3","ClientId":"c"}"#.utf8))
        case 7: frame(1, 0, id, number(2))
        case 8: drill.send(Int(which), Int(what) * 1_000)
        case 9: if !drill.visitors.isEmpty { drill.mux.abandon(drill.visitors[Int(which) % drill.visitors.count]) }
        case 10: if !drill.visitors.isEmpty { drill.mux.finish(drill.visitors[Int(which) % drill.visitors.count]) }
        case 11: drill.act(which)
        case 12: pass(drill, which)
        case 13: drill.isDeaf = which & 1 == 1
        case 14: for _ in 0..<(Int(which) * 16) { frame(1, 0, id, [1, 2, 3, 4]) }
        default: raw(which)
        }
    }

    private mutating func open(_ which: UInt8, _ what: UInt8, _ role: MuxRole) {
        let (text, kind) = Self.openings[Int(which) % Self.openings.count]
        var payload = number(kind) + text.withUTF8Buffer { Array($0) }
        if kind == 99 || (role == .agent && which > 200) { payload = [0, 0, 0] + Array(Self.header.utf8) }
        frame(1, what & 0x20 == 0 ? 2 : 3, next, payload)
        next &+= 2
    }

    private func pass(_ drill: any Drill, _ which: UInt8) {
        drill.now += UInt64(which) * 20_000_000
        do { try drill.tick() } catch { drill.isOver = true }
        drill.settle()
    }

    private mutating func raw(_ count: UInt8) {
        for _ in 0..<count where position < bytes.count { frame.append(byte()) }
    }
}
