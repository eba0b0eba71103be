import EdgeCore
import Shared
import Testing

@testable import EdgeControl

@Suite struct ApplicationUserTests {
    /// Makes a user and a session as a login will.
    private func login(_ room: ControlRoom, edge: String, route: String) async throws -> (user: String, session: String)
    {
        let author = ConfigurationService.Author(principal: "login", origin: "edge", command: "login")
        let outcome = try await room.service.perform(
            ConfigurationService.Write(author: author) { draft in
                let user = try draft.create(
                    .applicationUser, prefix: ApplicationUsers.prefixes[0],
                    document: [
                        "identity_provider": ["name": "google", "url": "https://accounts.google.com"],
                        "provider_user_id": "117", "username": "ada", "email": "ada@example.com", "name": "Ada",
                        "last_active": "2027-01-15T08:00:05Z", "last_login": "2027-01-15T08:00:04Z",
                    ])
                let session = try draft.create(
                    .applicationSession, prefix: ApplicationSessions.prefixes[0], parent: user.id,
                    document: [
                        "public_url": "https://www.example.com", "edge": .string(edge), "route": .string(route),
                        "expires_at": "2027-01-16T08:00:00Z",
                        "browser_session": [
                            "user_agent": ["raw": "curl/8", "browser_name": "curl"], "ip_address": "192.0.2.1",
                            "location": ["country_code": "DE", "latitude": 50.5],
                        ],
                    ])
                try draft.check()
                return (user.id, session.id)
            })
        return outcome.result
    }

    @Test func `there are no users and sessions until somebody logs in, and nobody can make one`() async throws {
        let room = try await ControlRoom()
        for (path, key) in [("/app/users", "application_users"), ("/app/sessions", "application_sessions")] {
            let list = try await room.call("GET", path)
            #expect(
                list.body == [key: [], "uri": .string("http://admin.local:80\(path)"), "next_page_uri": nil])
            #expect(try await room.call("POST", path).status == 404)
            #expect(try await room.call("GET", path + "?filter=x").code == "ERR_NGROK_231")
        }
    }

    @Test func `users and sessions are answered with every documented field`() async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        let route = planted.route
        let made = try await login(room, edge: planted.edge, route: route)
        let base = "http://admin.local:80"
        let user = try await room.call("GET", "/app/users/\(made.user)")
        #expect(
            user.body == [
                "id": .string(made.user), "uri": .string("\(base)/app/users/\(made.user)"),
                "identity_provider": ["name": "google", "url": "https://accounts.google.com"],
                "provider_user_id": "117", "username": "ada", "email": "ada@example.com", "name": "Ada",
                "created_at": "2027-01-15T08:00:00Z", "last_active": "2027-01-15T08:00:05Z",
                "last_login": "2027-01-15T08:00:04Z",
            ])
        let session = try await room.call("GET", "/app/sessions/\(made.session)")
        let reference = { (id: String, path: String) -> JSON in ["id": .string(id), "uri": .string(base + path)] }
        #expect(
            session.body == [
                "id": .string(made.session), "uri": .string("\(base)/app/sessions/\(made.session)"),
                "public_url": "https://www.example.com",
                "browser_session": [
                    "user_agent": [
                        "raw": "curl/8", "browser_name": "curl", "browser_version": "", "device_type": "",
                        "os_name": "", "os_version": "",
                    ],
                    "ip_address": "192.0.2.1",
                    "location": [
                        "country_code": "DE", "latitude": 50.5, "longitude": nil, "lat_long_radius_km": nil,
                    ],
                ],
                "application_user": reference(made.user, "/app/users/\(made.user)"),
                "created_at": "2027-01-15T08:00:00Z", "last_active": "2027-01-15T08:00:00Z",
                "expires_at": "2027-01-16T08:00:00Z", "endpoint": nil,
                "edge": reference(planted.edge, "/edges/https/\(planted.edge)"),
                "route": reference(route, "/edges/https/\(planted.edge)/routes/\(route)"),
            ], "\(session.body.text)")
        #expect(try await room.call("GET", "/app/users")["application_users"] == [user.body])
        #expect(try await room.call("GET", "/app/sessions")["application_sessions"] == [session.body])
        #expect(try await room.call("PATCH", "/app/users/\(made.user)", [:]).status == 404)
    }

    @Test func `deleting a user ends the user's sessions, and a session holds no edge back`() async throws {
        let room = try await ControlRoom()
        let planted = try await Planting.edge(in: room)
        let route = planted.route
        let first = try await login(room, edge: planted.edge, route: route)
        let second = try await login(room, edge: planted.edge, route: route)
        #expect(try await room.call("DELETE", "/edges/https/\(planted.edge)").status == 204)
        let session = try await room.call("GET", "/app/sessions/\(first.session)")
        #expect(session["edge"] == .null && session["route"] == .null)
        #expect(try await room.call("DELETE", "/app/sessions/\(first.session)").status == 204)
        #expect(try await room.call("GET", "/app/sessions/\(first.session)").status == 404)
        #expect(try await room.call("GET", "/app/users/\(first.user)").status == 200)
        #expect(try await room.call("DELETE", "/app/users/\(second.user)").status == 204)
        #expect(try await room.call("GET", "/app/sessions/\(second.session)").status == 404)
        #expect(try await room.call("DELETE", "/app/users/\(first.session)").status == 404)
    }
}
