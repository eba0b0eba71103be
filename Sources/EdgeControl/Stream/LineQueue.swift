import EdgeCore

/// The lines that one reader of the stream has yet to take.
///
/// Bounded in lines and bytes. Past a bound old ticks are given up first, because the next one replaces them; events
/// and audit records never are: when no tick is left to give up, the reader has to connect anew, and gets them with the
/// hello. A reader that takes nothing for 20 seconds while lines wait is ended too: its link is taken for dead.
struct LineQueue: Sendable {
    static let maximumLines = 64
    static let maximumBytes = 4 << 20
    /// Seconds.
    static let patience = 20.0

    enum Kind: Sendable, Equatable {
        case tick
        /// With the record's number, so that one that the hello already tells is not told twice.
        case event(UInt64)
        case audit(UInt64)
    }

    /// What became of an offered line.
    enum Offer: Sendable, Equatable {
        case taken
        /// The line itself was given up.
        case dropped
        /// The reader is too slow: end its stream.
        case overflow
    }

    private var hello: [UInt8]?
    private var isOpen = false
    private var lines: [(kind: Kind, bytes: [UInt8])] = []
    private var size = 0
    /// When the reader last took a line or had none to take.
    private var progress: MonotonicTime

    init(now: MonotonicTime) { progress = now }

    /// How many lines wait, the hello not counted.
    var count: Int { lines.count }

    /// Puts the first line before those that came while it was being made. Nothing can be taken earlier.
    /// - Parameter lastEvent: the newest event in the hello; waiting ones up to it are given up. `lastAudit` likewise.
    mutating func open(hello line: [UInt8], lastEvent: UInt64, lastAudit: UInt64, now: MonotonicTime) {
        hello = line
        isOpen = true
        progress = now
        lines.removeAll { line in
            switch line.kind {
            case .tick: false
            case .event(let id): id <= lastEvent
            case .audit(let id): id <= lastAudit
            }
        }
        size = lines.reduce(0) { $0 + $1.bytes.count }
    }

    /// - Parameter bytes: one whole line, with its newline.
    mutating func offer(_ kind: Kind, _ bytes: [UInt8], now: MonotonicTime) -> Offer {
        if lines.isEmpty, hello == nil {
            progress = now
        } else if now.seconds(since: progress) > LineQueue.patience {
            return .overflow
        }
        while isFull(with: bytes.count) {
            if let tick = lines.firstIndex(where: { $0.kind == .tick }) {
                size -= lines.remove(at: tick).bytes.count
            } else {
                return kind == .tick ? .dropped : .overflow
            }
        }
        lines.append((kind, bytes))
        size += bytes.count
        return .taken
    }

    /// The next line, oldest first; `nil` when none waits.
    mutating func take(now: MonotonicTime) -> [UInt8]? {
        guard isOpen else { return nil }
        progress = now
        if let first = hello {
            hello = nil
            return first
        }
        guard !lines.isEmpty else { return nil }
        let line = lines.removeFirst().bytes
        size -= line.count
        return line
    }

    // One line always fits, however long it is: a tick is as long as there are objects.
    private func isFull(with more: Int) -> Bool {
        !lines.isEmpty && (lines.count >= LineQueue.maximumLines || size + more > LineQueue.maximumBytes)
    }
}
