import Shared
import Testing

@testable import EdgeControl

/// The API's description, made of everything that the server serves.
@Suite struct APIDocumentTests {
    private static func operations() async throws -> [Operation] {
        try await ControlRoom().api.operations + LiveWorld().service.operations
    }

    @Test func `every operation says what it does, takes and gives`() async throws {
        for operation in try await Self.operations() {
            let name = "\(operation.method) \(operation.path)"
            #expect(operation.about.summary.hasSuffix("."), "\(name) has no summary")
            #expect([200, 201, 204].contains(operation.about.status), "\(name)")
            #expect((operation.about.answer == nil) == (operation.about.status == 204), "\(name) gives nothing")
            if ["PATCH", "PUT"].contains(operation.method) || operation.about.status == 201 {
                #expect(operation.about.request != nil, "\(name) takes nothing")
            }
            if ["GET", "DELETE"].contains(operation.method) { #expect(operation.about.request == nil, "\(name)") }
        }
    }

    @Test func `no two forms have one name, and no two operations`() async throws {
        let operations = try await Self.operations()
        let document = try APIDocument(operations).document(baseURL: "http://selvage")
        let paths = try #require(document["paths"]?.objectValue)
        let described = paths.values.flatMap { $0.objectValue.map { Array($0.values) } ?? [] }
        #expect(described.count == operations.count)
        #expect(Set(described.compactMap { $0["operationId"]?.stringValue }).count == operations.count)
    }

    @Test func `two forms of one name that differ are found`() throws {
        var components = SchemaComponents(.answer)
        try components.add(Shape("Thing", [Shape.Field("a", .text, "one note")]))
        try components.add(Shape("Thing", [Shape.Field("a", .text, "another note")]))
        #expect(throws: SchemaComponents.Conflict.self) {
            try components.add(Shape("Thing", [Shape.Field("a", .integer)]))
        }
        #expect(throws: SchemaComponents.Conflict.self) {
            try components.add(Shape("Other", [Shape.Field("inside", .list(.object(Shape("Thing", []))))]))
        }
    }

    @Test func `every reference of the document leads somewhere`() async throws {
        let document = try APIDocument(await Self.operations()).document(baseURL: "http://selvage")
        var references: Set<String> = []
        func walk(_ value: JSON) {
            if let reference = value["$ref"]?.stringValue { references.insert(reference) }
            value.objectValue?.values.forEach(walk)
            value.arrayValue?.forEach(walk)
        }
        walk(document)
        #expect(references.count > 50)
        for reference in references {
            let parts = reference.split(separator: "/").dropFirst().map(String.init)
            let target = parts.reduce(document as JSON?) { $0?[$1] }
            #expect(target != nil, "\(reference)")
        }
    }

    @Test func `the document is served with roles, parameters and the error form`() async throws {
        let room = try await ControlRoom()
        let document = try await room.call("GET", "/selvage/openapi.json", uid: 1002).body
        #expect(document["openapi"] == "3.0.3")
        #expect(document["servers"] == [["url": "http://admin.local:80"]])
        let create = document["paths"]?["/ip_policy_rules"]?["post"]
        #expect(create?["x-selvage-role"] == "operator")
        #expect(create?["requestBody"]?["required"] == true)
        #expect(document["paths"]?["/ip_policies"]?["post"]?["requestBody"]?["required"] == false)
        let list = document["paths"]?["/ip_policies"]?["get"]
        let parameters = list?["parameters"]?.arrayValue?.compactMap { $0["name"]?.stringValue } ?? []
        #expect(parameters == ["before_id", "limit", "filter", "ngrok-version"])
        #expect(list?["responses"]?.objectValue?.keys.contains("200") == true)
        let schemas = document["components"]?["schemas"]
        #expect(schemas?["Error"]?["required"] == ["status_code", "msg", "details"])
        // In an answer every field is there; in a request what is not required may be null, and nothing else be there.
        #expect(schemas?["Ref"]?["required"] == ["id", "uri"])
        #expect(schemas?["IPPolicyRuleCreate"]?["properties"]?["description"]?["nullable"] == true)
        #expect(schemas?["IPPolicyRuleCreate"]?["additionalProperties"] == false)
        // One form for both: the request's has a name of its own.
        #expect(schemas?["EndpointCompression"]?["required"] == ["enabled"])
        #expect(schemas?["EndpointCompressionRequest"]?["required"] == nil)
    }
}
