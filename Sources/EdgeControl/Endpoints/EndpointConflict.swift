import EdgeCore
import Shared

/// Which endpoints and edges may be at one address together, and what is said of those that may not.
enum EndpointConflict {
    static let notReserved = Fault(
        18006, "This account does not have any domains or addresses reserved that match the provided URL.")
    static let exists = Fault(18009, "This account already has a cloud endpoint on this URL.")
    static let unpooled = Fault(
        18016,
        "The provided cloud endpoint was invalid because pooling was set to enabled when another endpoint exists for "
            + "this url that has pooling disabled.")
    static let occupied = Fault(
        18017,
        "The provided cloud endpoint was invalid because pooling was set to disabled when another endpoint exists for "
            + "this url.")

    /// The reserved domain or address of an address: the exact name, else the longest wildcard.
    static func reservation(of url: EndpointURL, in state: ConfigurationState) -> String? {
        if url.scheme == .tcp { return state.owner(of: "addr/\(url.hostport)") }
        if let exact = state.owner(of: "domain/\(url.host)") { return exact }
        var rest = url.host[...]
        while let dot = rest.firstIndex(of: ".") {
            rest = rest[rest.index(after: dot)...]
            if let wildcard = state.owner(of: "domain/*.\(rest)") { return wildcard }
        }
        return nil
    }

    /// Pooled endpoints share an address only under one scheme.
    static func check(_ object: ConfigurationObject, in state: ConfigurationState) throws(Fault) {
        guard Endpoints.isPooled(object), let url = EndpointURL(kept: object) else { return }
        for id in state.holders(of: "hostport/\(url.hostport)") where id != object.id {
            guard let other = state[id], EndpointURL(kept: other) != url else { continue }
            throw unpooled
        }
    }

    /// Runs a write; if an address is taken, says so in the words that fit who has it.
    static func explained<Result>(
        _ document: JSON, _ id: String?, _ state: ConfigurationState, _ write: () throws(Fault) -> Result
    ) throws(Fault) -> Result {
        do throws(Fault) {
            return try write()
        } catch {
            guard error == occupied, let url = document["url"]?.stringValue,
                let hostport = (try? EndpointURL(url, isPublic: false))?.hostport
            else { throw error }
            let isPublic = document["bindings"]?.arrayValue?.contains("public") == true
            let holders = state.holders(of: isPublic ? "hostport/\(hostport)" : "private/\(url)").filter { $0 != id }
            let isSame = holders.contains { holder in
                state[holder].map { $0.document["url"] == .string(url) && !Endpoints.isPooled($0) } ?? false
            }
            throw isSame ? exists : error
        }
    }
}
