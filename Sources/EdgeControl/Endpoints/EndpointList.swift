import Crypto
import EdgeCore
import Shared

/// One endpoint as the list has it: a cloud endpoint, which is an object, or one hostport of an edge, which is not.
struct EndpointEntry: Sendable {
    let id: String
    let url: EndpointURL
    /// The cloud endpoint, or the edge.
    let object: ConfigurationObject
    /// Which of its object's endpoints it is, from 0.
    let ordinal: Int

    var isCloud: Bool { object.kind == .endpoint }

    /// Whether it stands before `other` in the list.
    func isNewer(than other: EndpointEntry) -> Bool {
        object.position == other.object.position
            ? ordinal < other.ordinal : object.position > other.object.position
    }

    /// The endpoints of a cloud endpoint or an edge.
    static func all(of object: ConfigurationObject) -> [EndpointEntry] {
        guard let kind = object.kind.edgeKind else {
            return EndpointURL(kept: object).map {
                [EndpointEntry(id: object.id, url: $0, object: object, ordinal: 0)]
            } ?? []
        }
        return Hostports.of(object).enumerated().compactMap { ordinal, hostport in
            EndpointURL(kind, hostport: hostport).map { url in
                EndpointEntry(id: id(of: hostport, on: object), url: url, object: object, ordinal: ordinal)
            }
        }
    }

    /// The identifier of an edge's endpoint: always the same for the same edge and hostport, of the edge's own second.
    static func id(of hostport: String, on edge: ConfigurationObject) -> String {
        var digest = SHA256.hash(data: Array("\(edge.id)\n\(hostport)".utf8)).makeIterator()
        let word = { (_: Int) in (0..<8).reduce(UInt64(0)) { word, _ in word << 8 | UInt64(digest.next() ?? 0) } }
        let time = WallTime(text: edge.createdAt) ?? WallTime(seconds: Identity.epoch)
        return "ep_" + Identity.ksuid(time: time, random: (word(0), word(1)))
    }

    /// The name under which the state finds the edge of an endpoint.
    static func name(_ id: String) -> String { "endpoint/\(id)" }
}

extension EndpointURL {
    /// That of a cloud endpoint.
    init?(kept object: ConfigurationObject) {
        guard let url = try? EndpointURL(object.document["url"]?.stringValue ?? "", isPublic: false) else { return nil }
        self = url
    }
}

extension ConfigurationState {
    /// The endpoint with an identifier, in time that does not depend on how many there are.
    func endpoint(_ id: String) -> EndpointEntry? {
        if let object = self[id] { return object.kind == .endpoint ? EndpointEntry.all(of: object).first : nil }
        guard let edge = owner(of: EndpointEntry.name(id)).flatMap({ self[$0] }) else { return nil }
        return EndpointEntry.all(of: edge).first { $0.id == id }
    }

    /// Every endpoint, newest first, made up as it is asked for.
    func endpoints(_ scope: ListScope) -> AnySequence<EndpointEntry> {
        let before = scope.before.flatMap(endpoint)
        let position = before?.object.position ?? scope.before.flatMap { self.position(of: $0) }
        var entries: AnySequence<EndpointEntry>
        if let ids = scope.choices["id"] {
            let found = Set(ids).compactMap(endpoint).sorted { $0.isNewer(than: $1) }
            entries = AnySequence(found)
        } else {
            // One further, because the edge of `before` may have others after it.
            entries = AnySequence(newestEndpointObjects(below: position.map { $0 + 1 }).lazy.flatMap(EndpointEntry.all))
        }
        if let before {
            entries = AnySequence(entries.lazy.filter { before.isNewer(than: $0) })
        } else if let position {
            entries = AnySequence(entries.lazy.filter { $0.object.position < position })
        } else if let bound = scope.before {
            // Long gone: its identifier still tells the second in which it was made.
            entries = AnySequence(entries.lazy.filter { $0.id < bound })
        }
        guard let urls = scope.choices["url"] else { return entries }
        let wanted = Set(urls.map { (try? EndpointURL($0, isPublic: false))?.text ?? $0 })
        return AnySequence(entries.lazy.filter { wanted.contains($0.url.text) })
    }

    /// Cloud endpoints and edges, merged by their positions.
    private func newestEndpointObjects(below position: Int64?) -> AnySequence<ConfigurationObject> {
        AnySequence { () -> AnyIterator<ConfigurationObject> in
            let kinds = [ObjectKind.endpoint] + EdgeKind.allCases.map { ObjectKind($0) }
            let sources = kinds.map { AnyIterator(newest($0, below: position).makeIterator()) }
            var heads = sources.map { $0.next() }
            return AnyIterator {
                var newest: Int?
                for index in heads.indices {
                    guard let head = heads[index] else { continue }
                    if let best = newest.flatMap({ heads[$0] }), best.position > head.position { continue }
                    newest = index
                }
                guard let newest else { return nil }
                defer { heads[newest] = sources[newest].next() }
                return heads[newest]
            }
        }
    }
}
