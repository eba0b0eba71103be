import EdgeCore
import Shared
import Synchronization

/// Everybody who reads the stream. Each line is encoded once, or once for each role that sees another one, however
/// many they are.
final class StreamHub: Sendable {
    /// How many streams may be open at once.
    static let maximumReaders = 64

    private let readers = Mutex<[String: StreamReader]>([:])
    private let now: @Sendable () -> MonotonicTime
    /// Told the session of each stream that ended, once.
    private let onEnd: @Sendable (String) -> Void

    init(now: @escaping @Sendable () -> MonotonicTime, onEnd: @escaping @Sendable (String) -> Void) {
        self.now = now
        self.onEnd = onEnd
    }

    /// Principals with a stream open, one entry per stream, sorted.
    var principals: [String] { readers.withLock { $0.values.map(\.principal.name).sorted() } }

    var isEmpty: Bool { readers.withLock { $0.isEmpty } }

    func has(session: String) -> Bool { readers.withLock { $0[session] != nil } }

    /// Adds a reader, who gets lines from now on but sees none before `StreamReader.open`.
    /// - Returns: `nil` when there are too many.
    func add(session: String, principal: Principal) -> StreamReader? {
        let reader = StreamReader(session: session, principal: principal, now: now)
        return readers.withLock { readers in
            guard readers.count < StreamHub.maximumReaders, readers[session] == nil else { return nil }
            readers[session] = reader
            return reader
        }
    }

    /// The reader's lines as a sequence that ends when the reader is too slow, leaves, or lets go of it.
    func lines(of reader: StreamReader) -> AsyncStream<[UInt8]> {
        let lease = StreamLease(reader) { [weak self] reader in self?.end(reader) }
        return AsyncStream(unfolding: { await lease.reader.next() }, onCancel: { [weak self] in self?.end(reader) })
    }

    /// - Parameter line: one whole line; not made when nobody reads. A reader who comes at this very moment finds the
    ///   record in the hello, because records are kept before they are told.
    func broadcast(_ kind: LineQueue.Kind, _ line: @autoclosure () -> [UInt8]) {
        guard !isEmpty else { return }
        let line = line()
        for reader in readers.withLock({ Array($0.values) }) where !reader.offer(kind, line) { end(reader) }
    }

    /// - Parameter line: as `broadcast(_:_:)`, for one role.
    func broadcast(_ kind: LineQueue.Kind, for line: (Role) -> [UInt8]) {
        var lines: [Role: [UInt8]] = [:]
        for reader in readers.withLock({ Array($0.values) }) {
            let role = reader.principal.role
            let line = lines[role] ?? line(role)
            lines[role] = line
            if !reader.offer(kind, line) { end(reader) }
        }
    }

    func end(_ reader: StreamReader) {
        reader.end()
        let removed = readers.withLock { $0.removeValue(forKey: reader.session) != nil }
        if removed { onEnd(reader.session) }
    }
}

extension StreamHub {
    /// One line of the stream, with its newline.
    static func line(_ line: StreamLine) -> [UInt8] {
        // The contract's types always encode: the only thing that JSON cannot carry is a number that is not finite,
        // and no rate or percentile is one. A reader skips an empty line.
        ((try? WireJSON.encode(line)) ?? []) + [UInt8(ascii: "\n")]
    }
}
