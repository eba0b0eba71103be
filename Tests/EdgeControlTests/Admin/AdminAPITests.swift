import EdgeCore
import Shared
import Synchronization
import Testing

@testable import EdgeControl

@Suite struct AdminAPITests {
    private func request(
        _ method: String, _ path: String, fields: [(name: String, value: String)] = [], body: String = "",
        peer: PeerIdentity? = PeerIdentity(uid: 0, pid: 1)
    ) -> HandlerRequest {
        HandlerRequest(method: method, path: path, fields: fields, body: Array(body.utf8), peer: peer)
    }

    private let version: (name: String, value: String) = ("ngrok-version", "2")
    private let json: (name: String, value: String) = ("content-type", "application/json")

    @Test func `a path without an operation and a wrong method are the same 404, which names the path`() async throws {
        let room = try await ControlRoom()
        for (method, path) in [("GET", "/nothing/here"), ("PUT", "/ip_policies"), ("GET", "/backends/moon")] {
            let answer = try await room.call(method, path)
            #expect(answer.status == 404)
            #expect(answer.body == ["status_code": 404, "msg": "Not Found", "details": ["path": .string(path)]])
        }
    }

    @Test func `a missing object is 404 without a code and with an operation id`() async throws {
        let room = try await ControlRoom()
        let answer = try await room.call("GET", "/ip_policies/ipp_000000000000000000000000000")
        #expect(answer.status == 404)
        #expect(answer.code == nil)
        #expect(answer["msg"] == "Resource not found")
        let operation = answer["details"]?["operation_id"]?.stringValue ?? ""
        #expect(Identity.prefix(of: operation) == "op")
    }

    @Test func `only peers of the socket that a rule names get in, and no further than their role`() async throws {
        let room = try await ControlRoom()
        let policy: JSON = ["description": "x"]
        #expect(try await room.call("GET", "/ip_policies", uid: nil).code == "ERR_NGROK_200")
        #expect(try await room.call("GET", "/ip_policies", uid: nil).status == 403)
        #expect(try await room.call("GET", "/ip_policies", uid: 4711).status == 403)
        #expect(try await room.call("GET", "/ip_policies", uid: 1002).status == 200)
        #expect(try await room.call("POST", "/ip_policies", policy, uid: 1002).status == 403)
        #expect(try await room.call("POST", "/ip_policies", policy, uid: 1001).status == 201)
        // An API key counts for nothing here.
        let keyed = request("GET", "/ip_policies", fields: [version, ("authorization", "Bearer x")], peer: nil)
        #expect(try await room.send(keyed).status == 403)
    }

    @Test func `the version is asked for everywhere but below selvage`() async throws {
        let room = try await ControlRoom()
        #expect(try await room.send(request("GET", "/ip_policies")).code == "ERR_NGROK_218")
        let wrong = request("GET", "/ip_policies", fields: [("ngrok-version", "1")])
        #expect(try await room.send(wrong).code == "ERR_NGROK_217")
        #expect(try await room.send(request("GET", "/selvage/revision")).status == 200)
    }

    @Test func `a body needs its type, its form, and no field that is not known`() async throws {
        let room = try await ControlRoom()
        let send = { (body: String, fields: [(name: String, value: String)]) in
            try await room.send(request("POST", "/ip_policies", fields: [version] + fields, body: body))
        }
        #expect(try await send("{}", []).code == "ERR_NGROK_216")
        #expect(try await send("{}", [("content-type", "text/plain")]).code == "ERR_NGROK_210")
        #expect(try await send("{", [json]).code == "ERR_NGROK_213")
        #expect(try await send("[]", [json]).code == "ERR_NGROK_213")
        #expect(try await send("{\"description\":1}", [json]).code == "ERR_NGROK_213")
        #expect(try await send("{\"nonsense\":1}", [json]).code == "ERR_NGROK_214")
        #expect(try await send("{\"description\":\"a\",\"description\":\"b\"}", [json]).code == "ERR_NGROK_213")
        #expect(try await send("", []).status == 201)
        #expect(try await send("{}", [("content-type", "application/json; charset=utf-8")]).status == 201)
        #expect(room.service.state.objects(.ipPolicy).count == 2)
    }

    @Test func `nesting without end is refused`() async throws {
        let deep = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
        #expect(throws: JSONReader.Mistake.tooDeep) { try JSONReader.read(Array(deep.utf8)) }
    }

    @Test(arguments: [
        "", "nul", "01", "+1", "1.", ".5", "1e", "\"\\x\"", "\"a", "{\"a\"}", "[1,]", "{,}", "1 2", "\"\u{1}\"",
        "\"\\ud800\"", "1e999", "NaN",
    ])
    func `what is not JSON is refused`(text: String) {
        #expect(throws: JSONReader.Mistake.self) { try JSONReader.read(Array(text.utf8)) }
    }

    @Test func `what is JSON reads as it was written`() throws {
        let text = #"{"a":[1,-2.5,1e2,true,false,null,"\u00e9\ud83d\ude00\n"],"b":{}}"#
        let expected: JSON = ["a": [1, -2.5, 100.0, true, false, nil, "é😀\n"], "b": [:]]
        #expect(try JSONReader.read(Array(text.utf8)) == expected)
        #expect(throws: JSONReader.Mistake.self) { try JSONReader.read([0x22, 0xFF, 0x22]) }
    }

    @Test func `addresses echo a harmless host only`() async throws {
        let room = try await ControlRoom()
        let answer = try await room.call("POST", "/ip_policies", [:], fields: [("host", "127.0.0.1:4040")])
        #expect(answer["uri"]?.stringValue == "http://127.0.0.1:4040/ip_policies/\(answer.id)")
        let evil = try await room.call("GET", "/ip_policies/\(answer.id)", fields: [("host", "x/../\"")])
        #expect(evil["uri"]?.stringValue == "http://selvage/ip_policies/\(answer.id)")
    }

    @Test func `the command of the audit trail is cleaned and cut`() async throws {
        let room = try await ControlRoom()
        let long = "weight set \u{1b}[31mred\u{202e}" + String(repeating: "x", count: 3000)
        _ = try await room.call("POST", "/ip_policies", [:], fields: [("selvage-command", long)])
        let command = room.audited.withLock { $0.last?.command } ?? ""
        #expect(command.hasPrefix("weight set [31mredxxx"))
        #expect(command.count == 1000)
    }

    @Test func `every operation of the table is served`() async throws {
        let room = try await ControlRoom()
        #expect(room.api.operations.count > 100)
        for operation in room.api.operations {
            var path = operation.path
            for name in ["{id}", "{edge_id}"] { path = path.replacing(name, with: "x") }
            let answer = try await room.call(operation.method, path, operation.method == "GET" ? nil : [:])
            // Whatever it says, it is not the answer to a path that nothing serves, nor a failure of the server.
            #expect(answer["details"]?["path"] == nil, "\(operation.method) \(path)")
            #expect(answer.status < 500, "\(operation.method) \(path): \(answer.body.text)")
        }
    }
}
