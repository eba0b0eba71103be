import Shared
import Testing

@testable import ConsoleKit

@Suite struct ImportTests {
    private func plan(_ files: String...) throws -> ImportPlan {
        ImportPlan(try ImportDocuments(files.enumerated().map { ("\($0.offset).json", Array($0.element.utf8)) }))
    }

    private static let addresses = """
        {"reserved_addrs":[{"id":"ra_2x","uri":"https://api.ngrok.com/reserved_addrs/ra_2x",\
        "created_at":"2024-01-01T00:00:00Z","description":"","metadata":"","addr":"1.tcp.ngrok.io:20000","region":"us"}],\
        "uri":"https://api.ngrok.com/reserved_addrs","next_page_uri":null}
        """
    private static let backends = """
        {"backends":[{"id":"bkdfo_2x","uri":"u","created_at":"t","description":"both","metadata":"",\
        "backends":["bkdwd_2x","bkdhr_2x"]}],"uri":"u","next_page_uri":null}
        {"backends":[{"id":"bkdwd_2x","uri":"u","created_at":"t","description":"","metadata":"",\
        "backends":{"bkdsc_2x":95,"bkdhr_2x":5}}],"uri":"u","next_page_uri":null}
        [{"id":"bkdsc_2x","uri":"u","created_at":"t","description":"","metadata":"m","address":"10.0.0.1:80",\
        "tls":{"enabled":false}},{"id":"bkdhr_2x","uri":"u","created_at":"t","description":"","metadata":"",\
        "body":"${new:x}","headers":null,"status_code":503}]
        """
    private static let edge = """
        {"id":"edghts_2x","uri":"u","created_at":"t","description":"shop","metadata":"",\
        "hostports":["shop.example.com:443"],"mutual_tls":null,\
        "tls_termination":{"enabled":true,"min_version":"1.3","terminate_at":"edge"},\
        "routes":[{"edge_id":"edghts_2x","id":"edghtsrt_2x","uri":"u","created_at":"t","match":"/","match_type":"path_prefix",\
        "description":"","metadata":"","backend":{"enabled":true,"backend":{"id":"bkdfo_2x","uri":"u"}},\
        "ip_restriction":{"enabled":false,"ip_policies":[{"id":"ipp_2x","uri":"u"}]},"compression":null,\
        "saml":{"enabled":true,"idp_metadata":"<x/>","entity_id":"e","metadata_url":"m","nameid_format":null}}]}
        """
    private static let policies = """
        {"ip_policies":[{"id":"ipp_2x","uri":"u","created_at":"t","description":"office","metadata":""}],"uri":"u",\
        "next_page_uri":"https://api.ngrok.com/ip_policies?before_id=ipp_2x&limit=1"}
        {"ip_policy_rules":[{"id":"ipr_2x","uri":"u","created_at":"t","description":"","metadata":"",\
        "cidr":"10.0.0.0/8","action":"allow","ip_policy":{"id":"ipp_2x","uri":"u"}}],"uri":"u","next_page_uri":null}
        """

    @Test func `objects come in an order in which each finds what it refers to`() throws {
        let plan = try plan(Self.edge, Self.backends, Self.policies)
        #expect(plan.faults == [])
        #expect(
            plan.entries.map(\.oldID) == [
                "ipp_2x", "ipr_2x", "bkdsc_2x", "bkdhr_2x", "bkdwd_2x", "bkdfo_2x", "edghts_2x", "edghtsrt_2x",
            ])
        #expect(plan.operations.map { $0["as"]?.stringValue ?? "" } == plan.entries.map(\.oldID))
    }

    @Test func `references become names of the request, and what only answers have goes`() throws {
        let plan = try plan(Self.policies, Self.backends, Self.edge)
        let body = { (id: String) in plan.operations.first { $0["as"]?.stringValue == id }?["body"] }
        #expect(
            body("ipr_2x") == [
                "description": "", "metadata": "", "cidr": "10.0.0.0/8", "action": "allow",
                "ip_policy_id": "${new:ipp_2x}",
            ])
        #expect(body("bkdwd_2x")?["backends"] == ["${new:bkdsc_2x}": 95, "${new:bkdhr_2x}": 5])
        #expect(body("bkdfo_2x")?["backends"] == ["${new:bkdwd_2x}", "${new:bkdhr_2x}"])
        #expect(
            body("edghts_2x") == [
                "description": "shop", "metadata": "", "hostports": ["shop.example.com:443"],
                "tls_termination": ["enabled": true, "min_version": "1.3"],
            ])
        #expect(
            body("edghtsrt_2x") == [
                "description": "", "metadata": "", "match": "/", "match_type": "path_prefix",
                "backend": ["enabled": true, "backend_id": "${new:bkdfo_2x}"],
                "ip_restriction": ["enabled": false, "ip_policy_ids": ["${new:ipp_2x}"]],
                "saml": ["enabled": true, "idp_metadata": "<x/>"],
            ])
        let route = plan.operations.last
        #expect(route?["path"] == "/edges/https/${new:edghts_2x}/routes")
        // A text that looks like a name of the request stands for itself.
        #expect(body("bkdhr_2x")?["body"] == "$${new:x}")
        #expect(body("bkdhr_2x")?["headers"] == nil)
    }

    @Test func `an address becomes the one that this server gives`() throws {
        let edge = """
            {"tcp_edges":[{"id":"edgtcp_2x","hostports":["1.tcp.ngrok.io:20000"],"backend":null,"traffic_policy":null,\
            "policy":null,"description":"","metadata":""}],"uri":"u","next_page_uri":null}
            """
        let whole = try plan(Self.addresses, edge)
        #expect(whole.operations[1]["body"]?["hostports"] == ["${new:ra_2x.addr}"])
        #expect(whole.remarks == ["1.tcp.ngrok.io:20000 becomes another port of this server"])
        let alone = try plan(edge)
        #expect(
            alone.faults == [
                "edgtcp_2x: its address 1.tcp.ngrok.io:20000 is not among the reserved addresses of these files"
            ])
    }

    @Test func `what cannot be taken over is said`() throws {
        let plan = try plan(
            """
            {"reserved_domains":[{"id":"rd_1","domain":"a.example.com","certificate":{"id":"cert_1","uri":"u"},\
            "certificate_management_policy":{"authority":"letsencrypt","private_key_type":"rsa"},"region":"us",\
            "resolves_to":[{"value":"us"}],"cname_target":"x"},{"id":"rd_2","domain":"b.example.com",\
            "certificate":{"id":"cert_2","uri":"u"},"certificate_management_policy":null}],"next_page_uri":null}
            """,
            """
            {"tls_certificates":[{"id":"cert_2","subject_common_name":"b.example.com","certificate_pem":"…"}]}
            {"keys":[{"id":"ak_1"}]} {"nothing":1}
            """, Self.policies)
        #expect(plan.faults == [])
        #expect(plan.entries.map(\.oldID) == ["ipp_2x", "ipr_2x", "rd_1", "rd_2"])
        #expect(
            plan.operations[2]["body"] == [
                "domain": "a.example.com",
                "certificate_management_policy": ["authority": "letsencrypt", "private_key_type": "rsa"],
            ])
        #expect(plan.operations[3]["body"] == ["domain": "b.example.com"])
        let told = plan.remarks.joined(separator: "\n")
        for part in [
            "the list ip_policies has a next page that is not there", "cert_2 (b.example.com) is not taken over",
            "ak_1 is not taken over", "a.example.com: its managed certificate becomes one",
            "b.example.com: its own certificate is not taken over", "a.example.com: resolves_to is not taken over",
            "1.json: an object without an identifier is left out",
        ] {
            #expect(told.contains(part), "\(part)")
        }
    }

    @Test func `a reference that leads nowhere, a circle and an odd identifier are faults`() throws {
        #expect(
            try plan(Self.edge).faults == [
                "edghtsrt_2x refers to bkdfo_2x, which is not in these files",
                "edghtsrt_2x refers to ipp_2x, which is not in these files",
            ])
        let circle = #"[{"id":"bkdfo_1","backends":["bkdwd_1"]},{"id":"bkdwd_1","backends":{"bkdfo_1":1}}]"#
        #expect(try plan(circle).faults == ["these backends refer to each other in a circle: bkdfo_1, bkdwd_1"])
        #expect(try plan(#"{"id":"ipp_a}b"}"#).faults == ["'ipp_a}b' is no identifier"])
    }

    @Test(arguments: ["", "{", "nonsense", #"{"a":1}}"#, #"{"a":"x}"#])
    func `what is not JSON is refused with its file's name`(text: String) {
        let fault = #expect(throws: CommandFault.self) { try plan(text) }
        #expect(fault?.message.hasPrefix("0.json") == true)
    }
}
