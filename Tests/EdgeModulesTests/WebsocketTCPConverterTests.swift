import EdgeCore
import EdgeModules
import Shared
import Testing

@Suite struct WebsocketTCPConverterTests {
    @Test func `it has no settings of its own`() throws {
        #expect(try WebsocketTCPConverter.normalise([:]) == [:])
        #expect(fault(WebsocketTCPConverter.self, ["origin": "x"]) == "ERR_NGROK_214")
        #expect(WebsocketTCPConverter.edgeKinds == [.https])
    }
}
