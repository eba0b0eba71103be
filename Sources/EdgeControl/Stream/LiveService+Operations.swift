import EdgeCore
import Shared

extension LiveService {
    /// Everything that this service answers, for the admin API's table.
    public var operations: [Operation] {
        streamOperations + guardOperations + breakerOperations + explainOperations
    }

    var guardOperations: [Operation] {
        [
            Operation(
                "GET", "/selvage/guards", role: .viewer, .read("Lists guards that run.", gives: LiveShapes.guards)
            ) {
                [self] _ in
                try HandlerResponse.json(encoding: ["guards": guards.statuses()], as: LiveShapes.guards)
            },
            Operation(
                "POST", "/selvage/guards/{id}/keep", role: .operator,
                .read("Keeps the change and ends the guard.", gives: LiveShapes.guard)
            ) { [self] call in
                try HandlerResponse.json(
                    encoding: await guards.keep(call.parameter("id"), by: call.principal.name), as: LiveShapes.guard)
            },
            Operation(
                "POST", "/selvage/guards/{id}/rollback", role: .operator,
                .read("Puts the change back and ends the guard.", gives: LiveShapes.guard)
            ) { [self] call in
                try HandlerResponse.json(
                    encoding: await guards.rollBack(call.parameter("id"), by: call.principal.name), as: LiveShapes.guard
                )
            },
            Operation(
                "POST", "/selvage/guards/{id}/extend", role: .operator,
                .update("Gives the guard more time.", takes: LiveShapes.extend, gives: LiveShapes.guard)
            ) { [self] call in
                try HandlerResponse.json(
                    encoding: guards.extend(call.parameter("id"), seconds: LiveService.seconds(call.body)),
                    as: LiveShapes.guard)
            },
        ]
    }

    var breakerOperations: [Operation] {
        let list = Operation(
            "GET", "/selvage/breakers", role: .viewer, .read("Lists circuit breakers.", gives: LiveShapes.breakers)
        ) { [self] _ in
            try HandlerResponse.json(encoding: ["breakers": breakers], as: LiveShapes.breakers)
        }
        return [list]
            + CircuitBreaker.Action.allCases.map { action in
                Operation(
                    "POST", "/selvage/breakers/{route_id}/\(action.rawValue)", role: .operator,
                    .read("Forces the breaker: \(action.rawValue).", gives: LiveShapes.breaker)
                ) { [self] call in
                    try await perform(action, call)
                }
            }
    }

    /// Notes who acts, acts, and answers the breaker's state. A deed that cannot be noted is not done.
    private func perform(_ action: CircuitBreaker.Action, _ call: OperationCall) async throws -> HandlerResponse {
        let route = RouteID(call.parameter("route_id"))
        guard breakers.contains(where: { $0.routeID == route }) else { throw APIErrorBody.notFound }
        let command = call.command ?? "breaker \(action.rawValue) \(route)"
        try await sources.audit(call.principal, command, "circuit_breaker", route.rawValue)
        guard sources.breakers.perform(route, action, now: clock.now()) else { throw APIErrorBody.notFound }
        sources.events.record(
            .warn, kind: "breaker.forced", object: route.rawValue, text: "\(call.principal.name): \(command)")
        poll()
        guard let status = sources.breakers.statuses(now: clock.now()).first(where: { $0.routeID == route }) else {
            throw APIErrorBody.notFound
        }
        return try HandlerResponse.json(encoding: status, as: LiveShapes.breaker)
    }

    /// The `seconds` of `{"seconds": 60}`; 60 without a body.
    /// - Throws: 400 when it is no number, not within 1…3600, or not alone.
    private static func seconds(_ body: JSON?) throws(Fault) -> Double {
        guard let body, !body.isNull else { return 60 }
        guard let members = body.objectValue else { throw Fault(nil, "The body must be an object.") }
        if let unknown = members.keys.first(where: { $0 != "seconds" }) {
            throw Fault(214, "The field \(DisplayText.clean(unknown, limit: 64)) is not known.")
        }
        guard let value = members["seconds"] else { return 60 }
        guard let seconds = value.doubleValue, (1...GuardMachine.maximumSeconds).contains(seconds) else {
            throw Fault(nil, "seconds must be a number between 1 and 3600.")
        }
        return seconds
    }
}
