import EdgeCore
import EdgeModules
import Shared
import Testing

@Suite struct MutualTLSTests {
    @Test func `authorities are kept in their order, at least one and at most ten`() throws {
        let ids = (0..<10).map { JSON.string("ca_\($0)") }
        let settings: JSON = ["certificate_authority_ids": .array(ids)]
        #expect(try MutualTLS.normalise(settings) == settings)
        let many: JSON = ["certificate_authority_ids": .array(ids + ["ca_x"])]
        #expect(fault(MutualTLS.self, many) == "ERR_NGROK_7075")
        #expect(throws: Fault.self) { try MutualTLS.normalise([:]) }
        #expect(throws: Fault.self) { try MutualTLS.normalise(["certificate_authority_ids": []]) }
    }
}
