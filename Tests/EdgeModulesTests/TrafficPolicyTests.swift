import EdgeCore
import EdgeModules
import Shared
import Testing

@Suite struct TrafficPolicyTests {
    private func code(_ value: String, on edge: EdgeKind = .https) -> String? {
        do {
            _ = try TrafficPolicy.normalise(["value": .string(value)], on: edge)
            return nil
        } catch {
            return error.code
        }
    }

    @Test func `JSON and YAML are taken and kept byte for byte`() throws {
        let texts = [
            "{\"on_http_request\":[{\"name\":\"a\",\"expressions\":[\"req.method == 'GET'\"],"
                + "\"actions\":[{\"type\":\"deny\",\"config\":{\"status_code\":404}}]}],\"on_http_response\":[]}",
            "\n  {\"on_http_response\": [{\"actions\": [{\"type\": \"log\", \"config\": {\"x\": \"\\ud83d\\ude00\"}}]}]}",
            """
            # who comes in
            on_http_request:
              - expressions:
                  - "req.url.path.startsWith('/a')"
                actions:
                  - type: rate-limit
                    config: {name: few, algorithm: sliding_window, capacity: 30, rate: 60s}
                  - type: custom-response
                    config:
                      status_code: 200
            on_http_response:
            """, "{}", "on_http_request: []",
        ]
        for text in texts {
            let kept = try TrafficPolicy.normalise(["value": .string(text)], on: .https)
            #expect(kept == ["value": .string(text)])
        }
        let stream = "on_tcp_connect: [{actions: [{type: restrict-ips, config: {deny: [192.0.2.0/24]}}]}]"
        #expect(code(stream, on: .tls) == nil)
        #expect(code(stream, on: .tcp) == nil)
    }

    @Test(arguments: [
        ("", "2236"), ("[]", "2236"), ("on_http_request: [", "2236"), ("{\"on_http_request\": [}", "2236"),
        ("{\"on_http_request\":[],\"on_http_request\":[]}", "2236"), ("on_http_request: 1", "2236"),
        ("on_http_request: [1]", "2236"), ("on_http_request: [{when: x, actions: []}]", "2236"),
        ("on_http_request: &a []", "2236"), ("inbound: []", "2230"), ("on_tcp_connect: []", "2230"),
        ("on_http_request: [{}]", "2206"), ("on_http_request: [{actions: []}]", "2206"),
        ("on_http_request: [{actions: [{}]}]", "2201"), ("on_http_request: [{actions: [{type: explode}]}]", "2201"),
        ("on_http_request: [{actions: [{type: owasp-crs-response}]}]", "2202"),
        ("on_http_response: [{actions: [{type: deny}]}]", "2202"),
        ("on_http_request: [{actions: [{type: deny, config: 1}]}]", "2203"),
        ("on_http_request: [{expressions: [''], actions: [{type: deny}]}]", "2200"),
        ("on_http_request: [{expressions: [1], actions: [{type: deny}]}]", "2200"),
        ("on_http_request: [{actions: [{type: deny}, {type: log}]}]", "2207"),
    ])
    func `what cannot be is refused with its code`(value: String, code: String) {
        #expect(self.code(value) == "ERR_NGROK_\(code)")
    }

    @Test func `phases belong to protocols, names and texts have limits`() {
        for edge in [EdgeKind.tls, .tcp] {
            #expect(code("on_http_request: []", on: edge) == "ERR_NGROK_2230")
            #expect(code("on_tcp_connect: [{actions: [{type: add-headers}]}]", on: edge) == "ERR_NGROK_2202")
        }
        let name = String(repeating: "n", count: 256)
        #expect(code("on_http_request: [{name: \(name), actions: [{type: deny}]}]") == "ERR_NGROK_2208")
        #expect(code("{}" + String(repeating: " ", count: 64 << 10)) == "ERR_NGROK_2236")
        #expect(fault(TrafficPolicy.self, [:]) == "ERR_NGROK_2236")
    }
}
