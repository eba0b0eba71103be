import EdgeCore
import Foundation
import Shared

/// What lies below `/selvage/` and belongs to the configuration.
public enum ConfigurationOperations {
    public static func all(_ service: ConfigurationService) -> [Operation] {
        [
            Operation("GET", "/selvage/configuration", role: .viewer) { call in
                try .json(encoding: listing(service, baseURL: call.baseURL))
            },
            Operation("GET", "/selvage/revision", role: .viewer) { _ in
                .json(["revision": .int(Int64(clamping: service.revision))])
            },
            Operation("GET", "/selvage/audit", role: .viewer) { call in try await audit(call, service) },
            Operation("GET", "/selvage/authority", role: .viewer) { _ in
                .json(["certificate_pem": .string(service.authority.certificatePEM)])
            },
            // The same as a file, for `curl -o`.
            Operation("GET", "/selvage/ca", role: .viewer) { _ in
                HandlerResponse(
                    status: 200, fields: [("content-type", "application/x-pem-file")],
                    body: .bytes(Array(service.authority.certificatePEM.utf8)))
            },
            Operation("POST", "/selvage/apply", role: .operator) { call in try await Apply(call, service).run() },
            Operation("POST", "/selvage/undo", role: .operator) { call in try await undo(call, service) },
        ]
    }

    private static func listing(_ service: ConfigurationService, baseURL: String) -> ConfigurationListing {
        let state = service.state
        let view = ConfigurationView(state: state, baseURL: baseURL)
        let objects = Resources.all.flatMap { state.objects($0.kind) }.map { object in
            StoredObject(
                kind: object.kind.rawValue, id: object.id, revision: object.revision, changedAt: object.changedAt,
                changedBy: object.changedBy, document: view.document(object))
        }
        return ConfigurationListing(
            revision: state.revision, objects: objects, modules: service.catalogue.modules.listings)
    }

    /// Records, newest first: `limit` 1…200 (default 50), `before` an identifier.
    private static func audit(_ call: OperationCall, _ service: ConfigurationService) async throws -> HandlerResponse {
        let number = { (name: String) throws(Fault) -> UInt64? in
            guard let text = try call.single(name) else { return nil }
            guard let value = UInt64(text) else {
                throw Fault(244, "The value '\(text.prefix(32))' of the query parameter \(name) is not a number.")
            }
            return value
        }
        let limit = try number("limit") ?? 50
        guard (1...200).contains(limit) else {
            throw Fault(233, "The query parameter limit must be between 1 and 200, but is \(limit).")
        }
        let records = try await service.store.audit(limit: Int(limit), before: try number("before"))
        return try .json(encoding: ["audit": records])
    }

    private static func undo(_ call: OperationCall, _ service: ConfigurationService) async throws -> HandlerResponse {
        let fields = try Fields(call.body, known: ["audit_id"])
        guard let id = fields["audit_id"]?.intValue, id > 0 else {
            throw Fault(213, "The application/json request body could not be parsed: 'audit_id' must be a number.")
        }
        let record = try await service.undo(UInt64(id), principal: call.principal.name, command: call.command)
        let answer: JSON = [
            "revision": .int(Int64(clamping: record?.revision ?? service.revision)),
            "audit_id": record.map { .int(Int64(clamping: $0.id)) } ?? .null,
        ]
        return .json(answer)
    }
}
