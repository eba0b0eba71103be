import EdgeCore
import Shared

/// The forms of what the live service answers.
enum LiveShapes {
    static let breaker = Shape(
        "BreakerStatus",
        [
            Shape.Field("route_id", .text), Shape.Field("state", .choice(BreakerState.allCases.map(\.rawValue))),
            Shape.Field("total", count, "exchanges in the rolling window"),
            Shape.Field("errors", count, "those of them that failed"),
            Shape.Field("rolling_window", .number, "seconds"), Shape.Field("tripped_duration", .number, "seconds"),
            Shape.Field("volume_threshold", count), Shape.Field("error_threshold", .number, "0 to 1"),
            Shape.Field("since", .number, "seconds in the present state"),
            Shape.Field("reason", .nullable(.text), "why it last tripped"),
            Shape.Field("next_probe", .nullable(.number), "seconds until a probe is let through, while open"),
            Shape.Field("trips", count), Shape.Field("rejected", count),
        ])
    static let breakers = Shape("BreakerList", [Shape.Field("breakers", .list(.object(breaker)))])

    static let `guard` = Shape(
        "GuardStatus",
        [
            Shape.Field("id", .text), Shape.Field("state", .choice(["running", "kept", "rolled_back"])),
            Shape.Field("command", .text), Shape.Field("principal", .text),
            Shape.Field("objects", .texts, "what would be put back"), Shape.Field("remaining", .number, "seconds"),
            Shape.Field("max_error_rate", .nullable(.number)), Shape.Field("max_p95", .nullable(.number)),
            Shape.Field("min_samples", count), Shape.Field("samples", count), Shape.Field("error_rate", .number),
            Shape.Field("p95", .nullable(.number)), Shape.Field("baseline_error_rate", .nullable(.number)),
            Shape.Field("baseline_p95", .nullable(.number)),
            Shape.Field("outcome", .nullable(.text), "why it ended"),
        ])
    static let guards = Shape("GuardList", [Shape.Field("guards", .list(.object(`guard`)))])
    static let extend = Shape(
        "GuardExtension", [Shape.Field("seconds", .number(1...GuardMachine.maximumSeconds), "60 unless given")])

    static let event = Shape(
        "Event",
        [
            Shape.Field("id", count), Shape.Field("at", .time),
            Shape.Field("severity", .choice(EventRecord.Severity.allCases.map(\.rawValue))),
            Shape.Field("kind", .text), Shape.Field("object", .text), Shape.Field("text", .text),
        ])
    private static let agentTunnel = Shape(
        "AgentTunnel",
        [
            Shape.Field("id", .text), Shape.Field("proto", .text, "empty when it is labelled"),
            Shape.Field("url", .text), Shape.Field("labels", .map(.text)),
            Shape.Field("forwards_to", .text, "as the agent says"),
        ])
    static let agent = Shape(
        "AgentStatus",
        [
            Shape.Field("id", .text, "the tunnel session's"),
            Shape.Field("state", .choice(AgentStatus.State.allCases.map(\.rawValue))),
            Shape.Field("version", .text), Shape.Field("client", .text), Shape.Field("os", .text),
            Shape.Field("ip", .text), Shape.Field("region", .text), Shape.Field("credential_id", .text),
            Shape.Field("metadata", .text), Shape.Field("uptime", .number, "seconds"),
            Shape.Field("rtt", .nullable(.number), "milliseconds of the latest heartbeat"),
            Shape.Field("streams", count, "open now"), Shape.Field("stream_limit", count),
            Shape.Field("opened", count, "streams since the connection was accepted"),
            Shape.Field("bytes_in", count, "to the agent"), Shape.Field("bytes_out", count),
            Shape.Field("reconnects", count), Shape.Field("tunnels", .list(.object(agentTunnel))),
        ])
    static let agents = Shape("AgentList", [Shape.Field("agents", .list(.object(agent)))])
    static let events = Shape("LiveEventList", [Shape.Field("events", .list(.object(event)))])

    private static let count = Schema.integer(0...Int64.max)
    private static let traffic = Shape(
        "Traffic",
        [
            Shape.Field("id", .text, "a region's code or an object's identifier"), Shape.Field("requests", count),
            Shape.Field("statuses", .list(count), "answers by class, 1xx to 5xx"), Shape.Field("bytes_in", count),
            Shape.Field("bytes_out", count), Shape.Field("open", .integer),
            Shape.Field("requests_per_second", .number), Shape.Field("errors_per_second", .number),
            Shape.Field("bytes_in_per_second", .number), Shape.Field("bytes_out_per_second", .number),
            Shape.Field("p50", .nullable(.number), "milliseconds"), Shape.Field("p95", .nullable(.number)),
            Shape.Field("p99", .nullable(.number)),
        ])
    private static let share = Shape(
        "WeightShare",
        [
            Shape.Field("backend_id", .text), Shape.Field("weight", count), Shape.Field("chosen", count),
            Shape.Field("effective", .nullable(.number), "0 to 1"),
        ])
    private static let weight = Shape(
        "WeightStatus", [Shape.Field("id", .text), Shape.Field("shares", .list(.object(share)))])
    static let statistics = Shape(
        "Statistics",
        [
            Shape.Field("sequence", count), Shape.Field("at", .time),
            Shape.Field("interval", .number, "seconds that rates were measured over"),
            Shape.Field("uptime", .number, "seconds"), Shape.Field("revision", count),
        ] + ["regions", "edges", "routes", "backends"].map { Shape.Field($0, .list(.object(traffic))) } + [
            Shape.Field("breakers", .list(.object(breaker))), Shape.Field("weights", .list(.object(weight))),
            Shape.Field("guards", .list(.object(`guard`))), Shape.Field("agents", .list(.object(agent))),
            Shape.Field("operators", .texts),
        ])

    private static let explainedEdge = Shape(
        "ExplainedEdge",
        [
            Shape.Field("id", .text), Shape.Field("kind", .choice(EdgeKind.allCases.map(\.rawValue))),
            Shape.Field("hostports", .texts),
        ])
    private static let explainedRoute = Shape(
        "ExplainedRoute",
        [
            Shape.Field("id", .text), Shape.Field("match_type", .nullable(.text)),
            Shape.Field("match", .nullable(.text)),
        ])
    private static let explainedModule = Shape(
        "ExplainedModule",
        [
            Shape.Field("name", .text), Shape.Field("owner", .text),
            Shape.Field("admits", .nullable(.flag), "whether it lets the client in, where it looks at addresses"),
        ])
    private static let explainedAnswer = Shape(
        "ExplainedAnswer",
        [Shape.Field("status", .integer), Shape.Field("error_code", .text), Shape.Field("text", .text)])
    static let explanation = Shape(
        "Explanation",
        [
            Shape.Field("host", .text), Shape.Field("path", .text), Shape.Field("client", .nullable(.text)),
            Shape.Field("revision", count), Shape.Field("edge", .nullable(.object(explainedEdge))),
            Shape.Field("route", .nullable(.object(explainedRoute))),
            Shape.Field("modules", .list(.object(explainedModule)), "in running order"),
            Shape.Field("backend", .nullable(.map(.anything)), "with its children and their shares"),
            Shape.Field("answer", .nullable(.object(explainedAnswer)), "what the edge would answer by itself"),
            Shape.Field("faults", .map(.text), "what is wrong with the objects concerned"),
        ])
}
