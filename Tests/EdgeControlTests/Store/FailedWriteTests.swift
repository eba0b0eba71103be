import EdgeCore
import Shared
import Synchronization
import Testing

@testable import EdgeControl

@Suite struct FailedWriteTests {
    @Test func `a write that cannot be kept leaves every circuit breaker as it was`() async throws {
        let box = Mutex<FailingStore?>(nil)
        let room = try await ControlRoom { store in
            let failing = FailingStore(store)
            box.withLock { $0 = failing }
            return failing
        }
        let store = try #require(box.withLock { $0 })
        let edge = try await room.make("/edges/https")
        let routes = "/edges/https/\(edge)/routes"
        let breaker: JSON = ["error_threshold_percentage": 0.5, "volume_threshold": 4]
        let route = try await room.make(
            routes, ["match_type": "path_prefix", "match": "/", "circuit_breaker": breaker])
        let now = MonotonicTime(seconds: 5)
        #expect(room.breakers.perform(RouteID(route), .open, now: now))

        store.isFull.withLock { $0 = true }
        let other: JSON = ["error_threshold_percentage": 0.9, "volume_threshold": 9]
        #expect(try await room.call("PUT", "\(routes)/\(route)/circuit_breaker", other).status == 500)
        #expect(room.breakers.statuses(now: now).map(\.volumeThreshold) == [4])
        #expect(
            try await room.call(
                "POST", routes, ["match_type": "path_prefix", "match": "/b", "circuit_breaker": other]
            ).status == 500)
        #expect(room.breakers.statuses(now: now).map(\.routeID.rawValue) == [route])
        #expect(try await room.call("DELETE", "\(routes)/\(route)").status == 500)
        #expect(try await room.call("DELETE", "/edges/https/\(edge)").status == 500)
        #expect(room.breakers.statuses(now: now).map(\.state) == [.open])

        store.isFull.withLock { $0 = false }
        #expect(try await room.call("PUT", "\(routes)/\(route)/circuit_breaker", other).status == 200)
        #expect(room.breakers.statuses(now: now).map(\.volumeThreshold) == [9])
        #expect(room.breakers.statuses(now: now).map(\.state) == [.open])
        #expect(try await room.call("DELETE", "\(routes)/\(route)").status == 204)
        #expect(room.breakers.statuses(now: now).isEmpty)
    }

    @Test func `a client that deletes as it pages misses nothing`() async throws {
        let room = try await ControlRoom()
        for number in 0..<60 { _ = try await room.make("/ip_policies", ["description": .string("\(number)")]) }
        var seen: [String] = []
        var path = "/ip_policies?limit=7"
        while true {
            let page = try await room.call("GET", path)
            let ids = page["ip_policies"]?.arrayValue?.compactMap { $0["id"]?.stringValue } ?? []
            seen += ids
            for id in ids { #expect(try await room.call("DELETE", "/ip_policies/\(id)").status == 204) }
            guard let next = page["next_page_uri"]?.stringValue else { break }
            path = String(next.dropFirst("http://admin.local:80".count))
        }
        #expect(seen.count == 60)
        #expect(Set(seen).count == 60)
    }

    @Test(arguments: ["tls", "tcp"])
    func `an HTTP response cannot be the backend of an edge that knows no HTTP`(kind: String) async throws {
        let room = try await ControlRoom()
        let page = try await room.make("/backends/http_response")
        let address = try await room.make("/backends/static", ["address": "127.0.0.1:9"])
        let answer = try await room.call("POST", "/edges/\(kind)", ["backend": ["backend_id": .string(page)]])
        #expect(answer.status == 400)
        #expect(answer["msg"]?.stringValue?.contains("HTTP") == true)
        let edge = try await room.make("/edges/\(kind)", ["backend": ["backend_id": .string(address)]])
        let path = "/edges/\(kind)/\(edge)"
        #expect(try await room.call("PUT", path + "/backend", ["backend_id": .string(page)]).status == 400)
        #expect(try await room.call("GET", path + "/backend")["backend"]?["id"] == .string(address))
        // Backends that HTTPS edges may share stay free to have it as their last leg.
        let both = try await room.make("/backends/failover", ["backends": [.string(address), .string(page)]])
        #expect(try await room.call("PUT", path + "/backend", ["backend_id": .string(both)]).status == 200)
    }
}
