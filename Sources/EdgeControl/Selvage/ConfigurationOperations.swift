import EdgeCore
import Shared

/// What lies below `/selvage/` and belongs to the configuration.
public enum ConfigurationOperations {
    /// Paths whose requests may have a larger body than others, in bytes: an import is one request.
    public static let largeBodies = ["/selvage/apply": Apply.maximumBody]

    public static func all(_ service: ConfigurationService) -> [Operation] {
        reads(service) + writes(service) + HistoryOperations.all(service)
    }

    private static func reads(_ service: ConfigurationService) -> [Operation] {
        [
            Operation(
                "GET", "/selvage/configuration", role: .viewer,
                .read("Answers every object, at one revision.", gives: SelvageShapes.configuration)
            ) { call in
                try .json(encoding: listing(service, call))
            },
            Operation(
                "GET", "/selvage/revision", role: .viewer,
                .read("Answers the configuration's revision.", gives: SelvageShapes.revision)
            ) { _ in
                .json(["revision": .int(Int64(clamping: service.revision))])
            },
            Operation(
                "GET", "/selvage/audit", role: .viewer,
                OperationDescription(
                    "Lists writes, also refused ones, newest first.", query: SelvageShapes.auditQuery,
                    gives: .object(SelvageShapes.audit))
            ) { call in try await audit(call, service) },
            Operation(
                "GET", "/selvage/authority", role: .viewer,
                .read("Answers the internal authority's certificate.", gives: SelvageShapes.authority)
            ) { _ in
                .json(["certificate_pem": .string(service.authority.certificatePEM)])
            },
            // The same as a file, for `curl -o`.
            Operation(
                "GET", "/selvage/ca", role: .viewer,
                OperationDescription(
                    "Answers the internal authority's certificate as a PEM file.", gives: .text, as: .pem)
            ) { _ in
                HandlerResponse(
                    status: 200, fields: [("content-type", "application/x-pem-file")],
                    body: .bytes(Array(service.authority.certificatePEM.utf8)))
            },
        ]
    }

    private static func writes(_ service: ConfigurationService) -> [Operation] {
        [
            Operation(
                "POST", "/selvage/apply", role: .operator,
                OperationDescription(
                    "Carries out several writes of the public API, all or none.", takes: SelvageShapes.apply,
                    gives: .object(SelvageShapes.applied))
            ) { call in try await Apply(call, service).run() },
            Operation(
                "POST", "/selvage/undo", role: .operator,
                OperationDescription(
                    "Puts back what one write changed.", takes: SelvageShapes.undo,
                    gives: .object(SelvageShapes.undone))
            ) { call in try await undo(call, service) },
        ]
    }

    private static func listing(_ service: ConfigurationService, _ call: OperationCall) -> ConfigurationListing {
        let state = service.state
        // This is what consoles show.
        let view = ConfigurationView(state: state, baseURL: call.baseURL, hidesSecrets: true)
        let readable = Resources.all.filter { $0.access.read <= call.principal.role }
        let objects = readable.flatMap { state.objects($0.kind) }.map { object in
            StoredObject(
                kind: object.kind.rawValue, id: object.id, revision: object.revision, changedAt: object.changedAt,
                changedBy: object.changedBy, document: view.document(object))
        }
        return ConfigurationListing(
            revision: state.revision, objects: objects, modules: service.catalogue.modules.listings)
    }

    private static func audit(_ call: OperationCall, _ service: ConfigurationService) async throws -> HandlerResponse {
        let limit = try Queries.limit(call, standard: 50, most: 200)
        await service.refusals.flush()
        let records = try await service.store.audit(
            limit: limit, before: try Queries.number("before", call), refused: try Queries.flag("refused", call))
        return try .json(
            encoding: ["audit": records.map { $0.shown(to: call.principal.role) }], as: SelvageShapes.audit)
    }

    private static func undo(_ call: OperationCall, _ service: ConfigurationService) async throws -> HandlerResponse {
        let fields = try Fields(call.body, known: ["audit_id"])
        guard let id = fields["audit_id"]?.intValue, id > 0 else {
            throw Fault(213, "The application/json request body could not be parsed: 'audit_id' must be a number.")
        }
        let record = try await service.undo(UInt64(id), principal: call.principal, command: call.command)
        let answer: JSON = [
            "revision": .int(Int64(clamping: record?.revision ?? service.revision)),
            "audit_id": record.map { .int(Int64(clamping: $0.id)) } ?? .null,
        ]
        return .json(answer)
    }
}
