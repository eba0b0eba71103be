import Glibc
import Shared
import Testing

@testable import EdgeCore

/// The cost of finding a route must not grow with the configuration: 1,000 hosts of 100 routes against one of one.
@Suite(.serialized) struct RoutingCostTests {
    private func routes(_ count: Int) -> RouteTable {
        RouteTable(
            (0..<count).map { number in
                // Lengths as real paths have them: a few different ones.
                let match = number == 0 ? "/" : "/service-\(number)/v\(number % 3)"
                let route = CompiledRoute(
                    id: RouteID("\(number)"), edgeID: EdgeID("e"), slot: 0, chain: .empty,
                    backend: BackendTable.none)
                return (number % 2 == 0 ? .pathPrefix : .exactPath, match, route)
            })
    }

    private func hosts(_ count: Int, _ routes: RouteTable) -> HostTable<CompiledEdge> {
        HostTable(
            (0..<count).map { number in
                let name = "tenant-\(number).example.com"
                let edge = CompiledEdge(
                    id: EdgeID("\(number)"), kind: .https, slot: 0, hostports: ["\(name):443"], termination: .atEdge,
                    minimumTLSVersion: 0x0303, routes: routes, chain: .empty, backend: BackendTable.none,
                    dependencies: [])
                return (name, edge)
            })
    }

    /// What this thread has computed for, in nanoseconds: what other tests compute meanwhile does not count.
    private func processorTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }

    private func nanoseconds(_ hosts: HostTable<CompiledEdge>, _ names: [String], _ paths: [String]) -> Double {
        let names = names.map { Array($0.utf8) }
        let paths = paths.map { Array($0.utf8) }
        let rounds = 200_000
        var best = Double.infinity
        for _ in 0..<5 {
            var found = 0
            let began = processorTime()
            for round in 0..<rounds {
                let edge = names[round % names.count].withUnsafeBufferPointer { hosts.lookup($0) }
                let route = paths[round % paths.count].withUnsafeBufferPointer { edge?.routes.lookup($0) }
                if route != nil { found += 1 }
            }
            best = min(best, (processorTime() - began) / Double(rounds))
            #expect(found == rounds)
        }
        return best
    }

    @Test func `a lookup among 100,000 routes costs about what it costs among one`() {
        let one = nanoseconds(hosts(1, routes(1)), ["tenant-0.example.com"], ["/service-50/v2/items"])
        let many = nanoseconds(
            hosts(1000, routes(100)), (0..<1000).map { "tenant-\($0).example.com" },
            (0..<50).map { "/service-\($0 * 2)/v\($0 * 2 % 3)/items" })
        print("routing: \(one.rounded()) ns among 1 × 1, \(many.rounded()) ns among 1,000 × 100")
        // A search through names or routes would be a hundred times slower. The allowance is for cache misses, and for
        // the three more prefix lengths that are probed.
        #expect(many < one * 6 + 200)
    }

    @Test func `probes stay few however many names there are`() {
        let table = routes(100)
        #expect(table.cost.lengths <= 4)
        #expect(table.cost.longestProbe <= 16)
        #expect(hosts(1000, table).names.longestProbe <= 24)
        #expect(hosts(20_000, .empty).names.longestProbe <= 48)
    }
}
