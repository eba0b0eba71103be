import EdgeCore
import EdgeModules
import Shared
import Testing

@Suite struct UserAgentFilterTests {
    @Test func `both lists are kept as they were written, and may be absent`() throws {
        #expect(try UserAgentFilter.normalise([:]) == ["allow": [], "deny": []])
        #expect(
            try UserAgentFilter.normalise(["deny": ["(?i)curl"], "allow": nil]) == ["allow": [], "deny": ["(?i)curl"]])
    }

    @Test func `what is no regular expression is refused and named`() {
        for name in ["allow", "deny"] {
            #expect(fault(UserAgentFilter.self, .object([name: ["^$", "a("]])) == "ERR_NGROK_2090")
        }
        let refused = #expect(throws: Fault.self) { try UserAgentFilter.normalise(["deny": ["(?=x)"]]) }
        #expect(refused?.message.contains("(?=x)") == true)
    }

    @Test func `the lists are bounded`() {
        let many = JSON.array(Array(repeating: "a", count: 101))
        #expect(throws: Fault.self) { try UserAgentFilter.normalise(["allow": many]) }
        let long = JSON.string(String(repeating: "a", count: 1025))
        #expect(fault(UserAgentFilter.self, ["allow": [long]]) == "ERR_NGROK_2090")
    }
}
