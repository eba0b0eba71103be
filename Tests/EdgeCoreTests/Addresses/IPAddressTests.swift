import EdgeCore
import Testing

@Suite struct IPAddressTests {
    @Test(arguments: [
        ("10.0.0.1", "10.0.0.1"), ("::", "::"), ("::1", "::1"), ("2001:DB8::0:1", "2001:db8::1"),
        ("1:0:0:2:0:0:0:3", "1:0:0:2::3"), ("::ffff:1.2.3.4", "1.2.3.4"), ("::ffff:102:304", "1.2.3.4"),
        ("fe80:0:0:0:0:0:0:0", "fe80::"), ("1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"),
        ("1:2:3:4:5:6:0:8", "1:2:3:4:5:6:0:8"), ("64:ff9b::192.0.2.1", "64:ff9b::c000:201"),
    ])
    func `an address is read, and written in its usual form`(text: String, expected: String) throws {
        let address = try #require(IPAddress(text))
        #expect(address.description == expected)
        #expect(IPAddress(expected) == address)
    }

    @Test(arguments: [
        "", "1.2.3", "1.2.3.4.5", "256.1.1.1", "01.2.3.4", "1.2.3.4 ", "1.2.3.x", "١.2.3.4", ":", ":::", "1::2::3",
        "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "12345::", "g::", "[::1]", "fe80::1%eth0", "1.2.3.4::", "::1.2.3",
        "1:2:3:4:5:6:7::8:9", "+1::", "1:2:3:4:5:6:7:1.2.3.4",
    ])
    func `what is no address is refused`(text: String) {
        #expect(IPAddress(text) == nil)
    }

    @Test func `every address survives being written and read`() {
        var chance = Chance(1)
        for round in 0..<5000 {
            var high = chance.next()
            var low = chance.next()
            // Groups of zeros are what the short form is about.
            for group in 0..<4 where Bool.random(using: &chance) { high &= ~(0xFFFF << UInt64(group * 16)) }
            for group in 0..<4 where Bool.random(using: &chance) { low &= ~(0xFFFF << UInt64(group * 16)) }
            let address =
                round % 5 == 0 ? IPAddress(v4: UInt32(truncatingIfNeeded: low)) : IPAddress(high: high, low: low)
            #expect(IPAddress(address.description) == address)
        }
    }
}
