import Shared
import Testing

@testable import ConsoleKit

/// Backends, IP policies, certificates: what edges and modules refer to.
struct ObjectTests {
    private let inventory = Inventory(Sample.listing())

    private func plan(_ line: String) throws(CommandFault) -> RequestPlan {
        try Planner(inventory: inventory).plan(Command.parse(Command.words(line), on: .shell))
    }

    @Test func `a weighted backend is made of names and addresses, and what is missing is made first`() throws {
        let plan = try plan("backend create weighted checkout-v1=90 127.0.0.1:7=10 name=canary")
        var run = PlanRun(plan)
        guard case .send(let first) = run.begin() else { Issue.record("nothing to send"); return }
        #expect(first.path == "/backends/static" && first.body?["address"] == "127.0.0.1:7")
        guard case .send(let second) = run.receive(status: 201, body: Sample.bytes(["id": "bkdsc_new"] as JSON)) else {
            Issue.record("one request only")
            return
        }
        #expect(second.path == "/backends/weighted")
        #expect(second.body?["backends"] == [Sample.v1: 90, "bkdsc_new": 10])
        #expect(second.body?["description"] == "canary")
        guard case .done = run.receive(status: 201, body: Sample.bytes(["id": "bkdwd_new"] as JSON)) else {
            Issue.record("not done")
            return
        }
        #expect(run.success == "backend canary is made")
    }

    @Test func `failover and fixed answers are made, too`() throws {
        let failover = try plan("backend create failover checkout-v1 checkout-v2")
        #expect(failover.steps.last?.request.body == ["backends": [.string(Sample.v1), .string(Sample.v2)]])
        let answer = try plan("backend create http_response 503 'body=back soon' name=closed")
        #expect(
            answer.steps.last?.request.body == ["status_code": 503, "body": "back soon", "description": "closed"])
    }

    @Test(arguments: [
        "backend create", "backend create weighted", "backend create weighted checkout-v1=x",
        "backend create weighted checkout-v1=10001", "backend create weighted checkout-v1=1 checkout-v1=2",
        "backend create static nowhere", "backend create tunnel a", "edge create https a.example backend=nowhere",
        "policy create office", "policy create x allow=lan", "policy create x permit=10.0.0.0/8",
        "policy forget office 192.0.2.1", "policy allow nobody 10.0.0.0/8",
        "module set shop.example/checkout ip_restriction", "module set shop.example/v1 ip_restriction ip_policy_ids=x",
    ])
    func `what cannot be is refused before anything is sent`(line: String) {
        #expect(throws: CommandFault.self) { try plan(line) }
    }

    @Test func `an IP policy is made with its rules, one address standing for itself`() throws {
        let plan = try plan("policy create vpn allow=10.0.0.0/8,192.0.2.7 deny=2001:db8::1")
        #expect(plan.steps.map(\.request.path) == ["/ip_policies"] + Array(repeating: "/ip_policy_rules", count: 3))
        let ranges = plan.steps.dropFirst().map { $0.request.body?["cidr"]?.stringValue }
        #expect(ranges == ["10.0.0.0/8", "192.0.2.7/32", "2001:db8::1/128"])
        #expect(plan.steps.last?.request.body?["action"] == "deny")
        #expect(!plan.steps.contains { !$0.creates })
    }

    @Test func `ip_restriction takes policies by their names`() throws {
        let plan = try plan("module set shop.example/checkout ip_restriction ip_policy_ids=office")
        let apply = try #require(plan.steps[0].request.body?.decoded(ApplyRequest.self))
        #expect(apply.operations[0].body == ["enabled": true, "ip_policy_ids": ["ipp_1"]])
    }

    @Test func `a rule is forgotten by its range, and a policy in use is not deleted`() throws {
        let forget = try plan("policy forget office 10.0.0.0/8")
        let apply = try #require(forget.steps[0].request.body?.decoded(ApplyRequest.self))
        #expect(apply.operations[0].path == "/ip_policy_rules/ipr_1" && forget.danger == .disruptive)
        let delete = try plan("policy delete office")
        #expect(delete.danger == .destructive)
        var listing = Sample.listing()
        let index = try #require(listing.objects.firstIndex { $0.id == Sample.checkout })
        listing.objects[index].document["ip_restriction"] = ["enabled": true, "ip_policies": [["id": "ipp_1"]]]
        let inventory = Inventory(listing)
        #expect(inventory.restricted(by: "ipp_1") == ["shop.example/checkout"])
        #expect(throws: CommandFault.self) {
            try Planner(inventory: inventory).plan(Command(.policyDelete, ["office"]))
        }
    }

    @Test func `a TLS edge is told where its connections are opened`() throws {
        let edge = try #require(inventory[Sample.tlsEdge])
        #expect(inventory.passesThrough(edge))
        let plan = try plan("module set raw.example tls_termination terminate_at=edge")
        let apply = try #require(plan.steps[0].request.body?.decoded(ApplyRequest.self))
        #expect(apply.operations[0].path == "/edges/tls/\(Sample.tlsEdge)/tls_termination")
        #expect(apply.operations[0].body?["terminate_at"] == "edge")
    }

    @Test func `a certificate says how many days it has left`() throws {
        let edge = try #require(inventory[Sample.edge])
        let certificate = try #require(inventory.certificate(ofEdge: edge))
        #expect(Inventory.days(from: "2026-11-21T22:31:07.120Z", to: Inventory.notAfter(certificate)) == 13)
        #expect(Inventory.days(from: "2026-12-06T00:00:00Z", to: Inventory.notAfter(certificate)) == -1)
        #expect(Inventory.days(from: "yesterday", to: "") == nil)
        let report = Report(subject: .certificates, inventory: inventory, tick: Sample.tick()).lines(.tsv)
        #expect(report == ["shop.example\t-\t2026-12-05T22:31:06Z\t13 d\tcert_1"])
    }

    @Test func `weights that two routes share name the other, and need the typed name`() throws {
        var listing = Sample.listing()
        let index = try #require(listing.objects.firstIndex { $0.id == Sample.api })
        listing.objects[index].document["backend"] = ["backend": ["id": .string(Sample.weighted)]]
        var app = Sample.app(listing: listing)
        app.press("3", .right, "a")
        let canvas = app.render(size: Size(columns: 120, rows: 30), glyphs: .unicode)
        let text = (0..<30).map(canvas.line).joined(separator: "\n")
        #expect(text.contains("also moves shop.example/"))
        let early = app.press(.enter)
        #expect(early.requests.isEmpty)
    }

    @Test func `the palette completes policies and backends, and keeps a line that cannot be`() throws {
        var app = Sample.app()
        app.press(":")
        app.type("policy allow off")
        app.press(.tab)
        #expect((app.overlays.last as? Palette)?.field.text == "policy allow office ")
        app.type("lan")
        let refused = app.press(.enter)
        #expect(refused.requests.isEmpty && app.overlays.last?.fault?.contains("lan is no range") == true)
        app.press(.ctrl("u"))
        app.type("backend create weighted checkout-v1")
        app.press(.tab)
        #expect((app.overlays.last as? Palette)?.field.text == "backend create weighted checkout-v1=")
        app.type("90 checkout-v2=10")
        let sent = app.press(.enter)
        #expect(sent.requests.map(\.path) == ["/backends/weighted"])
    }

    @Test func `the address that the server gave is in the sentence at the end`() throws {
        let plan = try plan("edge create tcp '' backend=checkout-v1")
        var run = PlanRun(plan)
        _ = run.begin()
        _ = run.receive(status: 201, body: Sample.bytes(["id": "ra_1", "addr": "1.tcp.example:20001"] as JSON))
        #expect(run.success == "edge 1.tcp.example:20001 is made")
    }
}
