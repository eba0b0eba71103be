import EdgeCore
import Shared

/// What a statistics slot counts, read from its key in `SlotTable`.
enum SlotSubject: Hashable, Sendable {
    case region(String)
    /// Client connections of a region, where the transport counts them.
    case connections(String)
    case edge(EdgeID)
    case route(RouteID)
    case backend(BackendID)
    /// One child of a weighted backend: its `started` counts how often the child was chosen.
    case share(of: BackendID, child: BackendID)
    /// Counted by the transport for itself, and nobody's row.
    case other

    init(key: String) {
        guard let slash = key.firstIndex(of: "/") else {
            self = .other
            return
        }
        let rest = key[key.index(after: slash)...]
        switch key[..<slash] {
        case "connections": self = .connections(String(rest))
        case "region": self = .region(String(rest))
        case "edge": self = .edge(EdgeID(String(rest)))
        case "route": self = .route(RouteID(String(rest)))
        case "backend": self = .backend(BackendID(String(rest)))
        case "share":
            let parts = rest.split(separator: "/", maxSplits: 1)
            guard parts.count == 2 else {
                self = .other
                return
            }
            self = .share(of: BackendID(String(parts[0])), child: BackendID(String(parts[1])))
        default: self = .other
        }
    }
}

extension SlotSubject {
    /// The identifier of the edge, route or backend that is counted.
    var objectID: String? {
        switch self {
        case .edge(let id): id.rawValue
        case .route(let id): id.rawValue
        case .backend(let id): id.rawValue
        case .region, .connections, .share, .other: nil
        }
    }
}

/// The slots by what they count. Keys are only ever added to a `SlotTable`, so each is read once.
struct SlotIndex: Sendable {
    private var known = 0
    private(set) var regions: [(id: String, slot: Int)] = []
    private(set) var connections: [String: Int] = [:]
    private(set) var edges: [(id: EdgeID, slot: Int)] = []
    private(set) var routes: [(id: RouteID, slot: Int)] = []
    private(set) var backends: [(id: BackendID, slot: Int)] = []
    /// Slots of the shares of one weighted backend, by child.
    private(set) var shares: [BackendID: [BackendID: Int]] = [:]

    mutating func extend(_ keys: [String]) {
        guard keys.count > known else { return }
        for slot in known..<keys.count {
            switch SlotSubject(key: keys[slot]) {
            case .connections(let id): connections[id] = slot
            case .region(let id): regions.append((id, slot))
            case .edge(let id): edges.append((id, slot))
            case .route(let id): routes.append((id, slot))
            case .backend(let id): backends.append((id, slot))
            case .share(let parent, let child): shares[parent, default: [:]][child] = slot
            case .other: break
            }
        }
        known = keys.count
    }
}
