import EdgeCore
import Shared

extension LiveService {
    /// The most records of either kind in a hello.
    static let helloRecords = 200
    /// Bytes that a hello may have. Audit records carry whole documents: the oldest are left out of a longer one.
    static let helloBytes = 2 << 20

    var streamOperations: [Operation] {
        [
            Operation(
                "GET", "/selvage/stream", role: .viewer,
                OperationDescription(
                    "Tells what happens, one JSON value per line, as long as it is read.", gives: .map(.anything),
                    as: .lines)
            ) { [self] call in
                try await openStream(principal: call.principal)
            },
            Operation(
                "GET", "/selvage/statistics", role: .viewer,
                .read("Reads the latest tick of the stream.", gives: LiveShapes.statistics)
            ) { [self] _ in
                try HandlerResponse.json(encoding: latest, as: LiveShapes.statistics)
            },
            Operation(
                "GET", "/selvage/events", role: .viewer,
                OperationDescription(
                    "Lists what happened, oldest first.",
                    query: [Shape.Field("limit", .integer(1...Int64(EventLog.capacity)), "the latest so many")],
                    gives: .object(LiveShapes.events))
            ) { [self] call in
                let limit = try LiveService.limit(call, standard: LiveService.helloRecords, most: EventLog.capacity)
                return try HandlerResponse.json(
                    encoding: ["events": sources.events.recent(limit)], as: LiveShapes.events)
            },
        ]
    }

    /// A new reader: lines begin to gather at once, and the hello, made meanwhile, goes before them. What it tells
    /// already is taken out of what has gathered, so that nothing is missed and nothing told twice.
    private func openStream(principal: Principal) async throws -> HandlerResponse {
        guard let reader = hub.add(session: clock.makeID("ses"), principal: principal) else {
            throw APIErrorBody(
                errorCode: nil, statusCode: 503,
                message: "\(StreamHub.maximumReaders) streams are open already; close one.")
        }
        // From here on the sequence owns the reader: dropping it ends the session, whatever throws.
        let lines = hub.lines(of: reader)
        let audit = await sources.recentAudit(LiveService.helloRecords).suffix(LiveService.helloRecords)
        let events = sources.events.recent(LiveService.helloRecords)
        reader.open(
            hello: try hello(session: reader.session, principal: principal, events: events, audit: Array(audit)),
            lastEvent: events.last?.id ?? 0, lastAudit: audit.last?.id ?? 0)
        return HandlerResponse(
            status: 200,
            fields: [("content-type", "application/x-ndjson"), ("cache-control", "no-store")], body: .stream(lines))
    }

    private func hello(
        session: String, principal: Principal, events: [EventRecord], audit: [AuditRecord]
    ) throws -> [UInt8] {
        var hello = Hello(
            session: session, node: name.node, region: name.region, version: name.version, principal: principal.name,
            role: principal.role, revision: sources.configuration().revision, history: history, events: events,
            audit: audit.map { $0.shown(to: principal.role) })
        var bytes = try WireJSON.encode(StreamLine.hello(hello))
        while bytes.count > LiveService.helloBytes, !hello.audit.isEmpty {
            hello.audit = Array(hello.audit.suffix(hello.audit.count / 2))
            bytes = try WireJSON.encode(StreamLine.hello(hello))
        }
        return bytes + [UInt8(ascii: "\n")]
    }

    /// The query's `limit`, 1…`most`.
    /// - Throws: 400 with the public API's codes for a limit out of range (233) or no number (244).
    static func limit(_ call: OperationCall, standard: Int, most: Int) throws(Fault) -> Int {
        guard let text = try call.single("limit") else { return standard }
        guard let limit = Int(text) else { throw Fault(244, "The limit must be a whole number.") }
        guard (1...most).contains(limit) else { throw Fault(233, "The limit must be between 1 and \(most).") }
        return limit
    }
}
