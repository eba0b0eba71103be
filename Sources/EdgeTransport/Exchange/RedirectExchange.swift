import EdgeCore
import Shared

/// Sends a client to the same place over HTTPS. A name that no edge serves is told nothing.
final class RedirectExchange: Exchange {
    private let port: UInt16
    private var isHead = false

    init(loop: EventLoop, port: UInt16) {
        self.port = port
        super.init(loop: loop)
    }

    override func begin(_ facts: RequestFacts) {
        guard let client else { return }
        let request = view.request
        let known = request.withBytes(request.host, loop.service.snapshot.hosts.lookup)
        guard known?.kind == .https else {
            return client.send(.endpointNotFound, using: view.response, requestWasHead: facts.isHead)
        }
        var location = "https://" + request.text(request.host)
        if port != 443 { location += ":\(port)" }
        let target = request.text(request.target)
        location += target == "*" ? "/" : target
        let head = view.response
        // 308 keeps method and body; clients older than it know 301 for what carries none.
        head.status = request.isSafe ? 301 : 308
        head.append("location", location)
        client.send([], using: head, requestWasHead: facts.isHead)
    }
}
