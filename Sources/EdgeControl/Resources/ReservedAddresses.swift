import EdgeCore
import Shared

extension ObjectKind {
    public static let reservedAddress = ObjectKind(rawValue: "reserved_addr")
}

/// Reserved TCP addresses: the server gives out host and port, and no port twice.
enum ReservedAddresses: Resource {
    static let kind = ObjectKind.reservedAddress
    static let prefixes = ["ra"]
    /// The highest port given out, kept in the store.
    static let portMark = "tcp_port"
    private static let texts = TextFields(descriptionCode: 504, metadataCode: 505)
    private static let region = Shape.Field("region", .text, "us unless given")
    private static let request = Shape("ReservedAddrCreate", TextFields.fields + [region])
    private static let update = Shape("ReservedAddrUpdate", TextFields.fields)
    private static let answer = Shape.answer("ReservedAddr", [Shape.Field("addr", .text, "host:port"), region])
    private static let legacy: Set<String> = ["endpoint_configuration_id"]

    static func path(of object: ConfigurationObject) -> String { "/reserved_addrs/\(object.id)" }

    static func names(of object: ConfigurationObject) -> [ObjectName] {
        let address = object.document["addr"]?.stringValue ?? ""
        return [ObjectName(text: "addr/\(address)", taken: Fault(503, "The address '\(address)' is reserved already."))]
    }

    static func inUse(_ object: ConfigurationObject, by user: ConfigurationObject) -> Fault {
        let address = object.document["addr"]?.stringValue ?? ""
        return Fault(7019, "The address '\(address)' could not be deleted because the edge '\(user.id)' still uses it.")
    }

    static func render(_ object: ConfigurationObject, in view: ConfigurationView) -> JSON {
        view.frame(object, ["addr": object.document["addr"] ?? "", "region": object.document["region"] ?? ""])
    }

    static func lists(_ catalogue: Catalogue) -> [ListOperation] {
        [ListOperation("/reserved_addrs", key: "reserved_addrs", of: answer, takesFilter: true, kind: kind)]
    }

    static func reads(_ catalogue: Catalogue) -> [ReadOperation] {
        [.object("/reserved_addrs/{id}", kind, gives: answer)]
    }

    static func edits(_ catalogue: Catalogue) -> [Edit] {
        [
            Edit("POST", "/reserved_addrs", .create("Reserves an address.", takes: request, gives: answer)) {
                draft, call in
                let fields = try Fields(call.body, request, legacy: legacy)
                var document = try texts.create(fields)
                let written = try fields.string("region") ?? ""
                let region = written.isEmpty ? "us" : written
                guard Region.cities[region] != nil else {
                    throw Fault(500, "The region '\(region.prefix(32))' is not valid.")
                }
                guard let ports = catalogue.tcpPorts else {
                    throw Fault(503, "This server offers no TCP addresses: its settings have no [tcp] ports.")
                }
                let port = draft.next(portMark, first: Int64(ports.lowerBound))
                guard port <= Int64(ports.upperBound) else {
                    throw Fault(503, "There are no TCP addresses left to reserve.")
                }
                document["region"] = .string(region)
                document["addr"] = .string("\(catalogue.publicName):\(port)")
                let object = try draft.create(kind, prefix: prefixes[0], document: .object(document))
                return .object(object.id, status: 201, draft, call)
            },
            Edit("PATCH", "/reserved_addrs/{id}", .update("Changes its texts.", takes: update, gives: answer)) {
                draft, call in
                let object = try draft.require(kind, call.parameter("id"), call)
                var document = object.document
                try texts.update(&document, try Fields(call.body, update, legacy: legacy))
                try draft.update(object.id, document: document)
                return .object(object.id, draft, call)
            },
            .deletion("/reserved_addrs/{id}", kind, "Gives an address up."),
        ]
    }
}
