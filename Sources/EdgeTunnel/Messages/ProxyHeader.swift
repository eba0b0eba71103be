import Shared

/// What the server says first on a stream that carries a visitor (agent-protocol.md 7.1).
public struct ProxyHeader: Hashable, Sendable {
    /// The kind of edge that the visitor came to.
    public enum EdgeType: String, Sendable {
        /// An endpoint of the agent's own.
        case undefined = "0"
        case tcp = "1"
        case tls = "2"
        case https = "3"
    }

    public var tunnelID: String
    /// `203.0.113.9:54321` or `[2001:db8::1]:99`.
    public var clientAddress: String
    /// `http`, `https`, `tcp` or `tls`.
    public var proto: String
    public var edgeType: EdgeType
    /// The payload is the visitor's TLS, not decrypted.
    public var isPassthrough: Bool

    public init(tunnelID: String, clientAddress: String, proto: String, edgeType: EdgeType, isPassthrough: Bool) {
        self.tunnelID = tunnelID
        self.clientAddress = clientAddress
        self.proto = proto
        self.edgeType = edgeType
        self.isPassthrough = isPassthrough
    }

    /// Type, length and JSON, to be sent in one piece: agents read all of it before they look at the next stream.
    public var bytes: [UInt8] {
        let text = document.bytes
        return StreamKind.proxy.bytes + withUnsafeBytes(of: UInt64(text.count).littleEndian) { Array($0) } + text
    }

    private var document: JSON {
        [
            "Id": .string(tunnelID), "ClientAddr": .string(clientAddress), "Proto": .string(proto),
            "EdgeType": .string(edgeType.rawValue), "PassthroughTLS": .bool(isPassthrough),
        ]
    }

    init?(_ document: JSON) {
        let members = Members(document)
        guard members["Id"]?.stringValue != nil else { return nil }
        self.init(
            tunnelID: members.text("Id"), clientAddress: members.text("ClientAddr"), proto: members.text("Proto"),
            edgeType: EdgeType(rawValue: members.text("EdgeType")) ?? .undefined,
            isPassthrough: members.flag("PassthroughTLS"))
    }
}

/// Collects a proxy header behind the stream's type.
struct ProxyHeaderReader {
    enum Step {
        case needMore
        /// The header, and how many of the bytes passed in belonged to it.
        case complete(ProxyHeader, used: Int)
        case invalid
    }

    private static let largest = 64 << 10
    private var bytes: [UInt8] = []
    private var length: Int?

    init() {}

    /// Bytes kept so far.
    var count: Int { bytes.count }

    mutating func receive(_ more: UnsafeRawBufferPointer) -> Step {
        var used = 0
        while used < more.count || length == 0 {
            guard let length else {
                bytes.append(more[used])
                used += 1
                guard bytes.count == 8 else { continue }
                // Little-endian, unlike everything else.
                let value = bytes.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
                guard value <= UInt64(Self.largest) else { return .invalid }
                self.length = Int(value)
                bytes = []
                continue
            }
            let take = min(length - bytes.count, more.count - used)
            bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: more[used..<(used + take)]))
            used += take
            guard bytes.count == length else { break }
            guard let document = try? JSONReader.read(bytes), let header = ProxyHeader(document) else {
                return .invalid
            }
            return .complete(header, used: used)
        }
        return .needMore
    }
}
