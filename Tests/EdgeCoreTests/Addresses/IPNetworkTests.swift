import EdgeCore
import Testing

@Suite struct IPNetworkTests {
    @Test(arguments: [
        ("10.0.0.0/8", 104), ("0.0.0.0/0", 96), ("192.0.2.1/32", 128), ("2001:db8::/32", 32), ("::/0", 0),
        ("::1/128", 128),
    ])
    func `a CIDR is read and given back as written`(text: String, length: Int) throws {
        let network = try IPNetwork(cidr: text)
        #expect(network.prefixLength == length)
        #expect(network.description == text)
    }

    @Test(arguments: [
        ("10.0.0.1/8", "ERR_NGROK_1409"), ("2001:db8::1/32", "ERR_NGROK_1409"), ("::ffff:10.0.0.0/8", "ERR_NGROK_1409"),
        ("10.0.0.0", "ERR_NGROK_1413"), ("::1", "ERR_NGROK_1413"), ("10.0.0.0/33", "ERR_NGROK_1406"),
        ("10.0.0.0/", "ERR_NGROK_1406"), ("/8", "ERR_NGROK_1406"), ("10.0.0.0/8/8", "ERR_NGROK_1406"),
        ("10.0.0.0/-1", "ERR_NGROK_1406"), ("10.0.0.0/08", "ERR_NGROK_1406"), ("x", "ERR_NGROK_1406"),
        ("2001:db8::/129", "ERR_NGROK_1406"), ("", "ERR_NGROK_1406"),
    ])
    func `C86 a bad CIDR is refused with its code`(text: String, code: String) {
        let fault = #expect(throws: Fault.self) { try IPNetwork(cidr: text) }
        #expect(fault?.code == code)
        #expect(fault?.status == 400)
    }

    @Test func `a network holds its addresses and no others`() throws {
        let network = try IPNetwork(cidr: "10.1.0.0/16")
        #expect(network.contains(try #require(IPAddress("10.1.255.255"))))
        #expect(network.contains(try #require(IPAddress("::ffff:10.1.2.3"))))
        #expect(!network.contains(try #require(IPAddress("10.2.0.0"))))
        #expect(!network.contains(try #require(IPAddress("a01::"))))
    }

    @Test func `C69 the families are apart`() throws {
        let v4 = try #require(IPAddress("10.0.0.1"))
        let v6 = try #require(IPAddress("2001:db8::1"))
        #expect(try !IPNetwork(cidr: "::/0").contains(v4))
        #expect(try IPNetwork(cidr: "::/0").contains(v6))
        #expect(try IPNetwork(cidr: "0.0.0.0/0").contains(v4))
        #expect(try !IPNetwork(cidr: "0.0.0.0/0").contains(v6))
    }
}
