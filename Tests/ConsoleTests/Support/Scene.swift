import Shared

/// What the scripted server shows: one edge in two regions, a weighted backend of two, a circuit breaker.
struct Scene {
    var sequence: UInt64 = 1
    var revision: UInt64 = 7
    var breaker = BreakerState.closed
    /// For how many seconds the breaker has been in its state.
    var since = 60.0

    static let agent = "ts_2ffffffffffffffffffffffffff"
    static let edge = "edghts_2aaaaaaaaaaaaaaaaaaaaaaaaaa"
    static let route = "edghtsrt_2bbbbbbbbbbbbbbbbbbbbbbbbbb"
    static let weighted = "bkdwd_2cccccccccccccccccccccccccc"
    static let first = "bkdsc_2dddddddddddddddddddddddddd"
    static let second = "bkdsc_2eeeeeeeeeeeeeeeeeeeeeeeeee"

    var hello: Hello {
        Hello(
            session: "s1", node: "pop-7", region: "eu", version: "0.1.0", principal: "uid:0 (root)", role: .admin,
            revision: revision,
            history: ["eu", "us"].map {
                Hello.History(region: $0, requestsPerSecond: (0..<120).map { 300 + Double(($0 * 37) % 90) })
            },
            events: [
                EventRecord(
                    id: 1, at: "2026-01-01T10:00:00.000Z", severity: .info, kind: "server.started", object: "",
                    text: "started")
            ], audit: [])
    }

    var tick: StatisticsTick {
        let wobble = Double((sequence * 13) % 40)
        func row(_ id: String, _ rate: Double) -> TrafficRow {
            TrafficRow(
                id: id, requests: 1000 * sequence, statuses: [0, 990 * sequence, 0, 5 * sequence, 5 * sequence],
                bytesIn: 10_000 * sequence, bytesOut: 900_000 * sequence, open: 12, requestsPerSecond: rate,
                errorsPerSecond: rate / 100, bytesInPerSecond: rate * 200, bytesOutPerSecond: rate * 2000,
                p50: 11.5, p95: 40 + wobble / 4, p99: 90)
        }
        return StatisticsTick(
            sequence: sequence, at: "2026-01-01T10:00:0\(sequence % 10).000Z", interval: 1, uptime: Double(sequence),
            revision: revision, regions: [row("eu", 420 + wobble), row("us", 180 + wobble / 2)],
            edges: [row(Self.edge, 600 + wobble)], routes: [row(Self.route, 600 + wobble)],
            backends: [row(Self.first, 540 + wobble), row(Self.second, 60)],
            breakers: [
                BreakerStatus(
                    routeID: RouteID(Self.route), state: breaker, total: 600, errors: breaker == .closed ? 6 : 400,
                    rollingWindow: 10, trippedDuration: 10, volumeThreshold: 20, errorThreshold: 0.5, since: since,
                    reason: breaker == .closed ? nil : "400 of 600 failed (67 %), threshold 50 %",
                    nextProbe: breaker == .open ? 6 : nil, trips: breaker == .closed ? 0 : 1, rejected: 0)
            ],
            weights: [
                WeightStatus(
                    id: BackendID(Self.weighted),
                    shares: [
                        .init(backendID: BackendID(Self.first), weight: 9000, chosen: 900, effective: 0.9),
                        .init(backendID: BackendID(Self.second), weight: 1000, chosen: 100, effective: 0.1),
                    ])
            ], guards: [], agents: agents, operators: ["uid:0 (root)"])
    }

    var agents: [AgentStatus] {
        [
            AgentStatus(
                id: Self.agent, version: "1.4.0", client: "ngrok-go", os: "linux", ip: "203.0.113.7", region: "eu",
                uptime: since, rtt: 24, streams: 12, streamLimit: 100, opened: 900, bytesIn: 10_000 * sequence,
                bytesOut: 900_000 * sequence,
                tunnels: [
                    AgentStatus.Tunnel(id: "tn_1", labels: ["app": "web", "v": "1"], forwardsTo: "localhost:80")
                ])
        ]
    }

    var listing: ConfigurationListing {
        func object(_ kind: String, _ id: String, _ document: JSON) -> StoredObject {
            StoredObject(
                kind: kind, id: id, revision: revision, changedAt: "2026-01-01T09:00:00Z", changedBy: "uid:0 (root)",
                document: document)
        }
        let backend: JSON = ["enabled": true, "backend": ["id": .string(Self.weighted), "uri": ""]]
        let breaker: JSON = [
            "enabled": true, "tripped_duration": 10, "rolling_window": 10, "num_buckets": 10, "volume_threshold": 20,
            "error_threshold_percentage": 0.5,
        ]
        let route: JSON = [
            "id": .string(Self.route), "edge_id": .string(Self.edge), "match_type": "path_prefix", "match": "/",
            "description": "", "metadata": "", "backend": backend, "circuit_breaker": breaker,
        ]
        func upstream(_ id: String, _ name: String, _ address: String) -> StoredObject {
            object(
                "backend", id,
                ["id": .string(id), "description": .string(name), "metadata": "", "address": .string(address)])
        }
        return ConfigurationListing(
            revision: revision,
            objects: [
                object(
                    "https_edge", Self.edge,
                    [
                        "id": .string(Self.edge), "description": "", "metadata": "",
                        "hostports": ["shop.example:443"], "routes": [route],
                    ]),
                object("route", Self.route, route),
                object(
                    "backend", Self.weighted,
                    [
                        "id": .string(Self.weighted), "description": "shop", "metadata": "",
                        "backends": .object([Self.first: 9000, Self.second: 1000]),
                    ]),
                upstream(Self.first, "shop-v1", "127.0.0.1:9001"), upstream(Self.second, "shop-v2", "127.0.0.1:9002"),
            ],
            modules: [ModuleListing(name: "circuit_breaker", edgeKinds: [.https], example: breaker)])
    }
}
