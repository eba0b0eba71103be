import Shared
import Testing

@testable import EdgeControl

/// Answers are what the API's description says: every documented field, of the documented form, and no other.
@Suite struct ConformanceTests {
    @Test func `there is a sample of every kind that can be made`() async throws {
        let room = try await ControlRoom()
        let paths = Set(Samples.all.map(\.path))
        for operation in room.api.operations where operation.method == "POST" && operation.about.status == 201 {
            #expect(paths.contains(operation.path), "Samples.all needs a line for \(operation.path)")
        }
    }

    @Test func `every answer about every kind has exactly the documented fields`() async throws {
        let walk = SampleWalk(try await ControlRoom(tcpPorts: 20_000...20_999))
        try await walk.makeAll()
        for operation in walk.room.api.operations where operation.method == "GET" {
            // Modules are not set yet; what has no JSON has no fields.
            let isModule = ModuleTable.contains(operation.path)
            guard !isModule, operation.about.mediaType == .json, operation.path != "/selvage/openapi.json",
                walk.canFill(operation.path)
            else { continue }
            try await walk.call("GET", operation.path)
        }
        for operation in walk.room.api.operations where operation.method == "PATCH" {
            try await walk.call("PATCH", operation.path, [:])
        }
        #expect(walk.faults == [])
    }

    @Test func `every module answers the documented fields, alone and in its owner`() async throws {
        let walk = SampleWalk(try await ControlRoom(tcpPorts: 20_000...20_999))
        try await walk.makeAll()
        let catalogue = walk.room.service.catalogue
        for (owner, base) in ModuleTable.owners {
            for slot in ModuleSlot.all(owner, catalogue) {
                guard let settings = Samples.settings(of: slot, in: walk.room.service.state) else { continue }
                let path = "\(base)/\(slot.name)"
                try await walk.call("PUT", path, settings)
                try await walk.call("GET", path)
                try await walk.call("GET", base)
                try await walk.call("PATCH", base, .object([slot.name: settings]))
                // The next may be one that does not go with this one.
                try await walk.call("DELETE", path)
            }
        }
        #expect(walk.faults == [])
    }

    @Test func `what can be deleted answers nothing when it is`() async throws {
        let walk = SampleWalk(try await ControlRoom(tcpPorts: 20_000...20_999))
        try await walk.makeAll()
        for sample in Samples.all.reversed() {
            let paths = [sample.path + "/{id}", sample.path + "/{type}"]
            for operation in walk.room.api.operations where operation.method == "DELETE" {
                if paths.contains(operation.path) { try await walk.call("DELETE", operation.path) }
            }
        }
        #expect(walk.faults == [])
    }

    @Test func `live answers have exactly the documented fields`() async throws {
        let world = LiveWorld()
        let queries = ["/selvage/explain": ["host": ["app.example"]]]
        for operation in world.service.operations where operation.method == "GET" {
            guard operation.about.mediaType == .json, let form = operation.about.answer else { continue }
            let answer = try await world.perform(
                "GET", operation.path, LiveWorld.call(query: queries[operation.path] ?? [:]))
            #expect(form.fault(in: answer) == nil, "\(operation.path): \(answer.text)")
        }
    }

    @Test func `a form finds what differs from it`() {
        let form = Schema.object(
            Shape("Thing", [Shape.Field("a", .text), Shape.Field("b", .nullable(.list(.integer(0...9))))]))
        #expect(form.fault(in: ["a": "", "b": nil]) == nil)
        #expect(form.fault(in: ["a": "", "b": [1, 9]]) == nil)
        #expect(form.fault(in: ["a": "", "b": [1, 10]]) == "$.b[1] is outside the documented range")
        #expect(form.fault(in: ["a": ""]) == "$.b is missing in Thing")
        #expect(form.fault(in: ["a": "", "b": nil, "c": 1]) == "$.c is not documented for Thing")
        #expect(form.fault(in: ["a": 1, "b": nil]) == "$.a is not a string")
        #expect(form.completing(["a": "x"]) == ["a": "x", "b": nil])
    }
}

/// The paths of modules.
private enum ModuleTable {
    static let owners: [(owner: ModuleOwner, base: String)] = [
        (.edge(.https), "/edges/https/{id}"), (.edge(.tls), "/edges/tls/{id}"), (.edge(.tcp), "/edges/tcp/{id}"),
        (.route, "/edges/https/{edge_id}/routes/{id}"),
    ]

    static func contains(_ path: String) -> Bool {
        owners.contains { path.hasPrefix($0.base + "/") && !path.hasPrefix($0.base + "/routes") }
            || path.hasPrefix("/edges/https/{edge_id}/routes/{id}/")
    }
}
