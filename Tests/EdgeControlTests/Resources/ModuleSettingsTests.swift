import EdgeCore
import EdgeModules
import Shared
import Testing

@testable import EdgeControl

/// What the modules of one owner say about each other, and what answers say beyond their settings.
@Suite struct ModuleSettingsTests {
    private static let saml = SAML.example
    private static let oidc = OpenIDConnect.example
    private static let oauth = OAuth.example

    @Test func `of the three logins one owner has only one enabled`() async throws {
        let room = try await ControlRoom()
        let route = try await Planting.edge(in: room).routePath
        #expect(try await room.call("PUT", "\(route)/oauth", Self.oauth).status == 200)
        let second = try await room.call("PUT", "\(route)/oidc", Self.oidc)
        #expect(second.status == 400)
        #expect(second.code == "ERR_NGROK_7079")
        #expect(try await room.call("PATCH", route, ["saml": Self.saml]).code == "ERR_NGROK_7079")
        #expect(try await room.call("GET", "\(route)/oidc").status == 404)
        var off = Self.oidc
        off["enabled"] = false
        #expect(try await room.call("PUT", "\(route)/oidc", off).status == 200)
        // Changing from one to the other takes one request.
        var away = Self.oauth
        away["enabled"] = false
        let both = try await room.call("PATCH", route, ["oauth": away, "oidc": Self.oidc])
        #expect(both.status == 200)
        #expect(both["oauth"]?["enabled"] == false)
        #expect(both["oidc"]?["enabled"] == true)
    }

    @Test func `what is written in the settings comes back, secrets too, with null for the other providers`()
        async throws
    {
        let room = try await ControlRoom()
        let route = try await Planting.edge(in: room).routePath
        let answer = try await room.call(
            "PUT", "\(route)/oauth", ["provider": ["github": ["client_id": "i", "client_secret": "s", "teams": ["1"]]]])
        let github: JSON = [
            "client_id": "i", "client_secret": "s", "scopes": [], "email_addresses": [], "email_domains": [],
            "teams": ["1"], "organizations": [],
        ]
        #expect(answer["provider"]?["github"] == github)
        #expect(answer["provider"]?.objectValue?.values.filter(\.isNull).count == 7)
        #expect(try await room.call("GET", route)["oauth"] == answer.body)
        let hook = try await room.call("PUT", "\(route)/webhook_verification", ["provider": "GitHub", "secret": "s"])
        #expect(hook.body == ["enabled": true, "provider": "GitHub", "secret": "s"])
    }

    @Test func `secrets of modules are not in the audit trail`() async throws {
        let room = try await ControlRoom()
        let route = try await Planting.edge(in: room).routePath
        let secrets = ["top-secret-1", "top-secret-2", "top-secret-3"]
        let google: JSON = ["client_id": "visible-id", "client_secret": .string(secrets[0])]
        _ = try await room.call("PUT", "\(route)/oauth", ["provider": ["google": google]])
        _ = try await room.call("DELETE", "\(route)/oauth")
        var oidc = Self.oidc
        oidc["client_secret"] = .string(secrets[1])
        _ = try await room.call("PUT", "\(route)/oidc", oidc)
        _ = try await room.call(
            "PUT", "\(route)/webhook_verification", ["provider": "github", "secret": .string(secrets[2])])
        let trail = try await room.service.store.audit(limit: 100, before: nil, refused: nil)
        let text = trail.flatMap(\.changes).map { ($0.before ?? .null).text + ($0.after ?? .null).text }.joined()
        #expect(text.contains("visible-id"))
        for secret in secrets { #expect(!text.contains(secret)) }
    }

    @Test func `a SAML answer tells what the identity provider needs, and may be sent back`() async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        let path = "\(planted.routePath)/saml"
        let answer = try await room.call("PUT", path, Self.saml)
        #expect(answer.status == 200)
        let entity = "https://edge.example.net/saml/\(planted.route)"
        #expect(answer["entity_id"] == .string(entity))
        #expect(answer["assertion_consumer_service_url"] == .string(entity + "/acs"))
        #expect(answer["request_signing_certificate_pem"] != nil)
        #expect(try await room.call("GET", planted.routePath)["saml"] == answer.body)
        var again = answer.body
        again["entity_id"] = "https://elsewhere.example.com"
        #expect(try await room.call("PUT", path, again).body == answer.body)
        #expect(try await room.call("PUT", path, ["idp_metadata": "<x/>"]).code == "ERR_NGROK_7083")
    }

    @Test func `mutual TLS names authorities that exist`() async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        let tls = try await room.make("/edges/tls")
        for path in ["/edges/https/\(planted.edge)/mutual_tls", "/edges/tls/\(tls)/mutual_tls"] {
            for id in ["ca_000000000000000000000000000", "nonsense", planted.backend] {
                let answer = try await room.call("PUT", path, ["certificate_authority_ids": [.string(id)]])
                #expect(answer.status == 400)
                #expect(answer.code == "ERR_NGROK_7072")
            }
        }
        #expect(try await room.call("PUT", "/edges/tcp/edgtcp_x/mutual_tls", [:]).status == 404)
    }

    @Test func `mutual TLS shows its authorities, keeps them from being deleted, and needs TLS to end here`()
        async throws
    {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        let authority = try InternalAuthority(now: WallTime(seconds: 1_800_000_000))
        let id = try await room.make("/certificate_authorities", ["ca_pem": .string(authority.certificatePEM)])
        let settings: JSON = ["certificate_authority_ids": [.string(id)]]
        let uri = "http://admin.local:80/certificate_authorities/\(id)"
        let answer = try await room.call("PUT", "/edges/https/\(planted.edge)/mutual_tls", settings)
        #expect(
            answer.body == ["enabled": true, "certificate_authorities": [["id": .string(id), "uri": .string(uri)]]])
        #expect(try await room.call("GET", "/edges/https/\(planted.edge)")["mutual_tls"] == answer.body)
        #expect(room.dataPlane.last?.edges[EdgeID(planted.edge)]?.chain.names == ["mutual_tls"])
        #expect(try await room.call("DELETE", "/certificate_authorities/\(id)").status == 400)
        // Which request comes last does not matter.
        let tls = "/edges/tls/\(try await room.make("/edges/tls"))"
        let through: JSON = ["terminate_at": "upstream"]
        #expect(try await room.call("PUT", "\(tls)/mutual_tls", settings).status == 200)
        #expect(try await room.call("PUT", "\(tls)/tls_termination", through).code == "ERR_NGROK_7062")
        #expect(try await room.call("DELETE", "\(tls)/mutual_tls").status == 204)
        #expect(try await room.call("PUT", "\(tls)/tls_termination", through).status == 200)
        #expect(try await room.call("PUT", "\(tls)/mutual_tls", settings).code == "ERR_NGROK_7062")
    }

    @Test func `a traffic policy follows the protocol of its edge`() async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        let onHTTP: JSON = ["value": "on_http_request: []"]
        let onTCP: JSON = ["value": "on_tcp_connect: []"]
        let route = "\(planted.routePath)/traffic_policy"
        #expect(try await room.call("PUT", route, onHTTP).body == ["enabled": true, "value": "on_http_request: []"])
        #expect(try await room.call("PUT", route, onTCP).code == "ERR_NGROK_2230")
        for kind in ["tls", "tcp"] {
            let path = "/edges/\(kind)/\(try await room.make("/edges/\(kind)"))/traffic_policy"
            #expect(try await room.call("PUT", path, onTCP).status == 200)
            #expect(try await room.call("PUT", path, onHTTP).code == "ERR_NGROK_2230")
        }
    }

    @Test func `a module that is enabled is in the chain that is served, also after a restart`() async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        _ = try await room.call("PUT", "\(planted.routePath)/oauth", Self.oauth)
        let names = { (room: ControlRoom) in
            let edge = room.dataPlane.last?.edges[EdgeID(planted.edge)]
            return edge?.routes.lookup("/")?.chain.names
        }
        #expect(names(room) == ["oauth", "circuit_breaker"])
        let again = try await ControlRoom(folder: room.folder)
        #expect(names(again) == ["oauth", "circuit_breaker"])
    }
}
