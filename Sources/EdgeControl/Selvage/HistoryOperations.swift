import EdgeCore
import Shared

/// Earlier revisions: who made them, what they held, and going back.
enum HistoryOperations {
    static func all(_ service: ConfigurationService) -> [Operation] {
        let revisions = { @Sendable (call: OperationCall) in Revisions(service: service, role: call.principal.role) }
        return [
            Operation(
                "GET", "/selvage/revisions", role: .viewer,
                OperationDescription(
                    "Lists the revisions of the configuration, newest first.", query: SelvageShapes.pageQuery,
                    gives: .object(SelvageShapes.revisions))
            ) { call in
                return try .json(
                    encoding: await revisions(call).list(
                        limit: try Queries.limit(call, standard: 100, most: Revisions.maximumPage),
                        before: try Queries.number("before", call)), as: SelvageShapes.revisions)
            },
            Operation(
                "GET", "/selvage/objects/{id}/history", role: .viewer,
                OperationDescription(
                    "Lists the revisions of one object, also of one that is gone, newest first.",
                    query: SelvageShapes.pageQuery, gives: .object(SelvageShapes.history))
            ) { call in
                return try .json(
                    encoding: await revisions(call).history(
                        of: call.parameter("id"),
                        limit: try Queries.limit(call, standard: 100, most: Revisions.maximumPage),
                        before: try Queries.number("before", call)), as: SelvageShapes.history)
            },
            Operation(
                "GET", "/selvage/revisions/{from}/diff/{to}", role: .viewer,
                OperationDescription(
                    "Tells what is different between two revisions.", query: SelvageShapes.differenceQuery,
                    gives: .object(SelvageShapes.difference))
            ) { call in
                return try .json(
                    encoding: await revisions(call).difference(
                        from: try revision(call, "from"), to: try revision(call, "to"),
                        limit: try Queries.limit(call, standard: 100, most: Revisions.maximumPage),
                        after: try call.single("after")), as: SelvageShapes.difference)
            },
            Operation(
                "POST", "/selvage/revert", role: .operator,
                OperationDescription(
                    "Puts the configuration, or one object of it, back as it was at a revision.",
                    takes: SelvageShapes.revert, gives: .object(SelvageShapes.reverted))
            ) { call in
                return try await Revert(call, service).run()
            },
        ]
    }

    private static func revision(_ call: OperationCall, _ name: String) throws(APIErrorBody) -> UInt64 {
        let text = call.parameter(name)
        guard text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let value = UInt64(text) else { throw .notFound }
        return value
    }
}

/// Query parameters below `/selvage/`, refused as the public API refuses its own.
enum Queries {
    /// - Throws: 400 ERR_NGROK_244 for what is no number.
    static func number(_ name: String, _ call: OperationCall) throws(Fault) -> UInt64? {
        guard let text = try call.single(name) else { return nil }
        guard let value = UInt64(text), value <= Int64.max else {
            throw Fault(244, "The value '\(text.prefix(32))' of the query parameter \(name) is not a number.")
        }
        return value
    }

    /// - Throws: 400 ERR_NGROK_244, or ERR_NGROK_233 when it is out of range.
    static func limit(_ call: OperationCall, standard: Int, most: Int) throws(Fault) -> Int {
        let limit = try number("limit", call) ?? UInt64(standard)
        guard (1...UInt64(most)).contains(limit) else {
            throw Fault(233, "The query parameter limit must be between 1 and \(most), but is \(limit).")
        }
        return Int(limit)
    }

    /// - Throws: 400 ERR_NGROK_215 for what is neither `true` nor `false`.
    static func flag(_ name: String, _ call: OperationCall) throws(Fault) -> Bool? {
        switch try call.single(name) {
        case nil: nil
        case "true": true
        case "false": false
        default: throw Fault(215, "The value of the query parameter \(name) must be true or false.")
        }
    }
}
