import Foundation
import Shared
import Testing

@Suite struct WireFormatTests {
    private func roundTrip<T: Codable>(_ value: T) throws -> (T, JSON) {
        let data = try JSONEncoder().encode(value)
        return (try JSONDecoder().decode(T.self, from: data), try JSON(parsing: data))
    }

    @Test func `identifiers and regions are plain strings`() throws {
        let (id, json) = try roundTrip(["a": EdgeID("edghts_1")])
        #expect(id["a"] == EdgeID("edghts_1"))
        #expect(json == ["a": "edghts_1"])
        #expect(try roundTrip([Region("eu")]).1 == ["eu"])
        #expect(Region("eu").city == "Frankfurt")
        #expect(Region("mars").city == nil)
    }

    @Test func `a breaker's status is written in snake case and read again`() throws {
        let status = BreakerStatus(
            routeID: RouteID("r"), state: .halfOpen, total: 12, errors: 3, rollingWindow: 10, trippedDuration: 5,
            volumeThreshold: 20, errorThreshold: 0.5, since: 1.5, reason: "x", nextProbe: nil, trips: 2, rejected: 7)
        let (again, json) = try roundTrip(status)
        #expect(again == status)
        #expect(json["state"] == "half_open")
        #expect(json["route_id"] == "r")
        #expect(json["rolling_window"] == 10)
    }

    @Test func `traffic rows and weights survive`() throws {
        let row = TrafficRow(id: "us", requests: 5, statuses: [0, 4, 0, 0, 1], requestsPerSecond: 2.5, p95: 12.5)
        #expect(try roundTrip(row).0 == row)
        let weights = WeightStatus(
            id: BackendID("w"), shares: [.init(backendID: BackendID("a"), weight: 95, chosen: 9, effective: 0.9)])
        #expect(try roundTrip(weights).0 == weights)
        #expect(try roundTrip(weights).1["shares"]?.arrayValue?.first?["backend_id"] == "a")
    }

    @Test func `each kind of edge has its own prefix`() {
        #expect(Set(EdgeKind.allCases.map(\.idPrefix)) == ["edghts", "edgtls", "edgtcp"])
    }
}
