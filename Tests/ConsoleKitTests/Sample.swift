import Foundation
import Shared

@testable import ConsoleKit

/// A small world, always the same: three regions, two edges, a weighted backend, an open breaker.
enum Sample {
    static let edge = "edghts_2abcdefghijklmnopqrstuvwxyz"
    static let tlsEdge = "edgtls_2abcdefghijklmnopqrstuvwxyz"
    static let checkout = "edghtsrt_2checkoutaaaaaaaaaaaaaaa"
    static let api = "edghtsrt_2apiaaaaaaaaaaaaaaaaaaaa"
    static let weighted = "bkdwd_2weightedaaaaaaaaaaaaaaaa"
    static let v1 = "bkdsc_2v1aaaaaaaaaaaaaaaaaaaaaaaaaa"
    static let v2 = "bkdsc_2v2aaaaaaaaaaaaaaaaaaaaaaaaaa"
    static let v3 = "bkdsc_2v3aaaaaaaaaaaaaaaaaaaaaaaaaa"

    static let breakerExample: JSON = [
        "error_threshold_percentage": 0.5, "num_buckets": 10, "rolling_window": 10, "tripped_duration": 10,
        "volume_threshold": 20,
    ]

    static let modules: [ModuleListing] = [
        ModuleListing(name: "ip_restriction", edgeKinds: [.https, .tls, .tcp], example: ["ip_policy_ids": ["ipp_x"]]),
        ModuleListing(name: "circuit_breaker", edgeKinds: [.https], example: breakerExample),
        ModuleListing(name: "compression", edgeKinds: [.https], example: [:]),
        ModuleListing(
            name: "request_headers", edgeKinds: [.https], example: ["add": ["x-edge": "selvage"], "remove": ["via"]]),
    ]

    static func object(_ kind: String, _ id: String, _ document: JSON, revision: UInt64 = 7) -> StoredObject {
        StoredObject(
            kind: kind, id: id, revision: revision, changedAt: "2026-11-21T22:30:00Z", changedBy: "alice",
            document: document)
    }

    static func route(_ id: String, _ match: String, _ modules: JSON, backend: String) -> JSON {
        var document: JSON = [
            "id": .string(id), "edge_id": .string(edge), "match": .string(match), "match_type": "path_prefix",
            "description": "", "metadata": "", "ip_restriction": nil, "circuit_breaker": nil, "compression": nil,
            "request_headers": nil, "backend": ["enabled": true, "backend": ["id": .string(backend), "uri": ""]],
        ]
        for (name, settings) in modules.objectValue ?? [:] { document[name] = settings }
        return document
    }

    static func listing(
        revision: UInt64 = 40, weights: [String: JSON] = [v1: 8_400, v2: 1_600], weightsRevision: UInt64 = 7
    ) -> ConfigurationListing {
        var breaker = breakerExample
        breaker["enabled"] = true
        let routes = [
            route(
                checkout, "/checkout", ["circuit_breaker": breaker, "compression": ["enabled": true]], backend: weighted
            ),
            route(api, "/v1", ["circuit_breaker": breaker, "compression": ["enabled": false]], backend: v3),
        ]
        return ConfigurationListing(
            revision: revision,
            objects: [
                object(
                    "https_edge", edge,
                    [
                        "id": .string(edge), "hostports": ["shop.example:443"], "description": "the shop",
                        "metadata": "", "routes": .array(routes),
                    ]),
                object("route", checkout, routes[0]), object("route", api, routes[1]),
                object(
                    "tls_edge", tlsEdge,
                    [
                        "id": .string(tlsEdge), "hostports": ["raw.example:443"], "description": "", "metadata": "",
                        "ip_restriction": nil,
                        "backend": ["enabled": true, "backend": ["id": .string(v3), "uri": ""]],
                    ]),
                object(
                    "backend", weighted, ["description": "checkout", "backends": .object(weights)],
                    revision: weightsRevision),
                object("backend", v1, ["description": "checkout-v1", "address": "127.0.0.1:9001"]),
                object("backend", v2, ["description": "checkout-v2", "address": "127.0.0.1:9002"]),
                object("backend", v3, ["description": "", "address": "127.0.0.1:9003"]),
                object("reserved_domain", "rd_1", ["domain": "shop.example", "certificate": ["id": "cert_1"]]),
                object(
                    "tls_certificate", "cert_1",
                    [
                        "not_after": "2026-12-05T22:31:06Z", "subject_common_name": "shop.example",
                        "subject_alternative_names": ["dns_names": ["shop.example"], "ips": []],
                    ]),
                object("ip_policy", "ipp_1", ["description": "office"]),
                object(
                    "ip_policy_rule", "ipr_1",
                    ["action": "allow", "cidr": "10.0.0.0/8", "ip_policy": ["id": "ipp_1", "uri": ""]]),
            ], modules: modules)
    }

    static func row(_ id: String, _ rate: Double, errors: Double = 0, p95: Double = 84) -> TrafficRow {
        TrafficRow(
            id: id, requests: UInt64(rate) * 100, statuses: [0, UInt64(rate) * 99, 0, 0, UInt64(errors)],
            bytesIn: 1_000, bytesOut: 9_000_000, open: 12, requestsPerSecond: rate, errorsPerSecond: errors,
            bytesInPerSecond: 40_000, bytesOutPerSecond: rate * 9_000, p50: p95 / 4, p95: p95, p99: p95 * 2)
    }

    static func breaker(_ route: String, _ state: BreakerState) -> BreakerStatus {
        BreakerStatus(
            routeID: RouteID(route), state: state, total: 40, errors: state == .closed ? 1 : 24, rollingWindow: 10,
            trippedDuration: 10, volumeThreshold: 20, errorThreshold: 0.5, since: 4,
            reason: state == .closed ? nil : "24 of 40 failed (60 %), threshold 50 %",
            nextProbe: state == .open ? 6 : nil, trips: state == .closed ? 0 : 2, rejected: 310)
    }

    static func guardStatus(principal: String = "alice", remaining: Double = 24) -> GuardStatus {
        GuardStatus(
            id: "grd_1", state: .running, command: "weight set shop.example/checkout checkout-v2=16",
            principal: principal, objects: [weighted], remaining: remaining, maxErrorRate: 0.02, maxP95: 400,
            minSamples: 200, samples: 218, errorRate: 0.003, p95: 97.4, baselineErrorRate: 0.003, baselineP95: 91,
            outcome: nil)
    }

    static func tick(
        _ sequence: UInt64 = 100, revision: UInt64 = 40, guards: [GuardStatus] = [],
        states: (BreakerState, BreakerState) = (.closed, .open)
    ) -> StatisticsTick {
        let shake = Double(sequence % 10) * 8
        return StatisticsTick(
            sequence: sequence, at: "2026-11-21T22:31:07.120Z", interval: 1, uptime: 3_500 + Double(sequence),
            revision: revision,
            regions: [
                row("ap", 540 + shake, errors: 13, p95: 174), row("eu", 820 + shake),
                row("us", 1_460 + shake, errors: 4, p95: 129),
            ],
            edges: [row(edge, 681, errors: 2), row(tlsEdge, 3)],
            routes: [row(checkout, 681), row(api, 90, errors: 40)],
            backends: [row(v1, 572), row(v2, 109, errors: 0.3, p95: 97.4), row(v3, 90, errors: 40)],
            breakers: [breaker(checkout, states.0), breaker(api, states.1)], weights: [], guards: guards,
            agents: agents(sequence), operators: ["alice", "bob"])
    }

    static func audit(_ id: UInt64, before: [String: JSON], after: [String: JSON]) -> AuditRecord {
        AuditRecord(
            id: id, at: "2026-11-21T22:30:40.000Z", principal: "bob", origin: "socket",
            command: "weight set shop.example/checkout checkout-v1=84 checkout-v2=16", revision: 40,
            changes: [
                AuditRecord.Change(
                    kind: "backend", id: weighted, before: ["backends": .object(before)],
                    after: ["backends": .object(after)])
            ])
    }

    static func hello(role: Role = .operator, session: String = "ses_1") -> Hello {
        Hello(
            session: session, node: "fra1-03", region: "eu", version: "0.1.0", principal: "alice", role: role,
            revision: 40,
            history: ["ap", "eu", "us"].enumerated().map { index, region in
                Hello.History(
                    region: region,
                    requestsPerSecond: (0..<120).map { Double(400 * (index + 1) + ($0 * 37 % 90) * (index + 1)) })
            },
            events: [
                EventRecord(
                    id: 1, at: "2026-11-21T22:30:03.000Z", severity: .crit, kind: "breaker.opened", object: api,
                    text: "breaker shop.example/v1 open: 24 of 40 failed (60 %), threshold 50 %"),
                EventRecord(
                    id: 2, at: "2026-11-21T22:31:00.000Z", severity: .info, kind: "listener.opened", object: "",
                    text: "listening on 127.0.0.1:8443"),
            ],
            audit: [audit(7, before: [v1: 9_000, v2: 1_000], after: [v1: 8_400, v2: 1_600])])
    }

    static func bytes(_ value: some Encodable) -> [UInt8] { JSON(encoding: value).bytes }

    /// An app that has its first listing, hello and tick, at time 100.
    static func app(
        role: Role = .operator, readOnly: Bool = false, guards: [GuardStatus] = [],
        listing: ConfigurationListing = listing()
    ) -> App {
        var app = App(options: App.Options(readOnly: readOnly, address: "/run/selvage/admin.sock"))
        let effects = app.start(now: 100)
        _ = app.receive(.line(.hello(hello(role: role))), now: 100)
        app.answer(effects, listing)
        _ = app.receive(.line(.tick(tick(guards: guards))), now: 100)
        return app
    }
}

extension App {
    /// Presses keys one after the other; gives the effects of all of them.
    @discardableResult
    mutating func press(_ keys: Key...) -> [Effect] { press(keys) }

    @discardableResult
    mutating func press(_ keys: [Key]) -> [Effect] { keys.flatMap { handle($0, now: model.now) } }

    @discardableResult
    mutating func type(_ text: String) -> [Effect] { press(text.map { Key.character($0) }) }

    /// Answers the last request of `effects`.
    @discardableResult
    mutating func answer(_ effects: [Effect], status: Int = 200, _ document: some Encodable) -> [Effect] {
        guard case .send(_, let tag)? = effects.last(where: { if case .send = $0 { true } else { false } }) else {
            return []
        }
        return receive(.answer(tag, status: status, fields: [], body: Sample.bytes(document)), now: model.now)
    }
}

extension [Effect] {
    var requests: [APIRequest] { compactMap { if case .send(let request, _) = $0 { request } else { nil } } }
}

/// Numbers that look random and are always the same (Steele, Lea and Flood's SplitMix64).
struct Dice: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
