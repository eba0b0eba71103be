import EdgeTesting
import Foundation
import Glibc
import Testing

extension EndToEnd {
    @Suite struct SettingsTests {
        private static let server = EndToEnd.binaries + "/selvage-server"

        private func check(_ settings: String) throws -> Command {
            let folder = try ScratchFolder()
            let file = folder.path + "/s.toml"
            try settings.write(toFile: file, atomically: true, encoding: .utf8)
            var command = try Command.run([Self.server, "--config", file, "--check"])
            command.errors = command.errors.replacingOccurrences(of: file, with: "s.toml")
            return command
        }

        @Test func `good settings are found good`() async throws {
            let command = try await EndToEnd.onThread {
                try check(
                    """
                    node = "fra1"
                    region = "eu"
                    data_folder = "/var/lib/selvage"
                    loops = 2
                    admin = { socket = "/run/selvage/admin.sock", mode = "0660", operators = [1000, "root"] }
                    [[listener]]
                    kind = "https"
                    port = 443
                    [[listener]]
                    kind = "http"
                    address = "::1"
                    port = 80
                    redirect_port = 8443
                    [[listener]]
                    kind = "https"
                    region = "ap"
                    socket = "https-ap"
                    [tcp]
                    public_host = "tcp.edge.example"
                    ports = "20000-20099"
                    [limits]
                    head_bytes = "64KiB"
                    [timeouts]
                    drain = 5
                    first_byte = "1.5s"
                    upstream_dial = "250ms"
                    [upstream]
                    verify_tls = true
                    """)
            }
            #expect(command.errors == "")
            #expect(command.status == 0)
        }

        @Test func `every mistake is told at once, each with its line`() async throws {
            let command = try await EndToEnd.onThread {
                try check(
                    """
                    regoin = "eu"
                    data_folder = "var"
                    loops = 0
                    [admin]
                    mode = "0999"
                    operators = ["nobody-of-that-name"]
                    [[listener]]
                    kind = "ftp"
                    port = 8443
                    [[listener]]
                    kind = "http"
                    address = ["127.0.0.1", "1.2.3"]
                    port = 70000
                    [[listener]]
                    kind = "https"
                    socket = "web"
                    port = 443
                    cleartext = "serve"
                    [[listener]]
                    kind = "http"
                    port = 81
                    [[listener]]
                    kind = "http"
                    address = "0.0.0.0"
                    port = 81
                    [tcp]
                    ports = "5-2"
                    [limits]
                    conections = 5
                    head_bytes = "1GiB"
                    [timeouts]
                    drain = "10 s"
                    keep_alive = oops
                    """)
            }
            #expect(command.status == 78)
            #expect(
                command.errors == """
                    s.toml:1: unknown key 'regoin': did you mean 'region'?
                    s.toml:2: data_folder must be an absolute path, not "var"
                    s.toml:3: loops must be a whole number from 1 to 1024, not 0
                    s.toml:5: admin.mode must be permission bits as a string, like "0660", not "0999"
                    s.toml:6: admin.operators holds "nobody-of-that-name", which is not the id or name of a user of this machine
                    s.toml:8: listener.kind must be "https" or "http", not "ftp"
                    s.toml:12: listener.address holds "1.2.3", which is not an IPv4 or IPv6 address
                    s.toml:13: listener.port must be a whole number from 1 to 65535, not 70000
                    s.toml:17: listener.port has no meaning beside listener.socket
                    s.toml:18: listener.cleartext has no meaning on an https listener
                    s.toml:22: address 0.0.0.0 port 81 has a listener already, on line 19
                    s.toml:26: tcp.public_host is missing: it must be the host part of reserved addresses
                    s.toml:27: tcp.ports must be a range of ports like "20000-20099", not "5-2"
                    s.toml:29: unknown key 'limits.conections': did you mean 'connections'?
                    s.toml:30: limits.head_bytes must be a size from 1024 to 1048576 bytes, like 65536 or "64KiB", not "1GiB"
                    s.toml:32: timeouts.drain must be a time like "10s" or "250ms", from 1 ms to 24 hours, not "10 s"
                    s.toml:33: 'oops' is not a value: a string needs quotes

                    """)
        }

        @Test func `what the admin API over TLS needs is told`() async throws {
            let (right, wrong, alone) = try await EndToEnd.onThread {
                let rest = "data_folder = \"/var/lib/s\"\n[[listener]]\nkind = \"https\"\nport = 8443\n[admin]\n"
                return (
                    try check(
                        rest
                            + """
                            listen = ["127.0.0.1:9443", "[::1]:9443"]
                            host = "Admin.example"
                            requests_per_minute = 120
                            """),
                    try check(
                        rest
                            + """
                            listen = ["127.0.0.1", "[::1]:0", "localhost:1"]
                            certificate = "/etc/x.pem"
                            """), try check(rest + "requests_per_minute = 5")
                )
            }
            #expect(right.status == 0, "\(right.errors)")
            #expect(wrong.status == 78)
            #expect(wrong.errors.contains("s.toml:6: admin.listen holds \"127.0.0.1\", which is not an address with"))
            #expect(wrong.errors.contains("\"[::1]:0\"") && wrong.errors.contains("\"localhost:1\""))
            #expect(wrong.errors.contains("s.toml:7: admin.certificate and admin.key need each other"))
            #expect(alone.errors.contains("s.toml:6: admin.requests_per_minute has no meaning without admin.listen"))
        }

        @Test func `a file that cannot be read, or says nothing, is a mistake`() async throws {
            let (missing, empty) = try await EndToEnd.onThread {
                (try Command.run([Self.server, "--config", "/nowhere/s.toml"]), try check("# nothing\n"))
            }
            #expect(missing.status == 78)
            #expect(missing.errors.contains("/nowhere/s.toml: cannot be read: No such file or directory"))
            #expect(empty.status == 78)
            #expect(empty.errors.contains("s.toml:1: data_folder is missing"))
            #expect(empty.errors.contains("s.toml:1: there is no [[listener]]"))
        }

        @Test func `a second server does not touch a data folder that is held`() async throws {
            let second = try await EndToEnd.onThread {
                let server = try ServerProcess()
                let second = try Command.run([Self.server, "--config", server.settingsFile])
                return (second, server.process?.pid ?? 0, try server.request("GET", "/selvage/configuration").status)
            }
            #expect(second.0.status == 75)
            #expect(second.0.errors.contains("another server (process \(second.1)) holds the data folder"))
            #expect(second.2 == 200)
        }

        @Test func `a second server does not share a port that is taken`() async throws {
            let second = try await EndToEnd.onThread {
                let server = try ServerProcess()
                let folder = try ScratchFolder()
                try """
                data_folder = "\(folder.path)/data"
                [[listener]]
                kind = "https"
                address = "127.0.0.1"
                port = \(server.httpsPort)
                """.write(toFile: folder.path + "/s.toml", atomically: true, encoding: .utf8)
                return try Command.run([Self.server, "--config", folder.path + "/s.toml"])
            }
            #expect(second.status == 71)
            #expect(second.errors.contains("Address already in use"))
        }

        @Test func `a file in place of the admin socket is left as it is`() async throws {
            let (command, left) = try await EndToEnd.onThread {
                let folder = try ScratchFolder()
                let precious = folder.path + "/precious"
                try "do not lose me".write(toFile: precious, atomically: true, encoding: .utf8)
                try """
                data_folder = "\(folder.path)/data"
                [admin]
                socket = "\(precious)"
                [[listener]]
                kind = "https"
                address = "127.0.0.1"
                port = \(try FreePorts.one())
                """.write(toFile: folder.path + "/s.toml", atomically: true, encoding: .utf8)
                let command = try Command.run([Self.server, "--config", folder.path + "/s.toml"])
                return (command, try String(contentsOfFile: precious, encoding: .utf8))
            }
            #expect(command.status == 71)
            #expect(command.errors.contains("is no socket"))
            #expect(left == "do not lose me")
        }

        @Test func `settings that are no text, or no file, are refused with the reason`() async throws {
            let (binary, folder) = try await EndToEnd.onThread {
                let folder = try ScratchFolder()
                let file = folder.path + "/s.toml"
                try Data([0x61, 0x20, 0x3D, 0x20, 0x22, 0xFF, 0x22, 0x0A]).write(to: URL(fileURLWithPath: file))
                return (
                    try Command.run([Self.server, "--config", file, "--check"]),
                    try Command.run([Self.server, "--config", folder.path, "--check"])
                )
            }
            #expect(binary.status == 78)
            #expect(binary.errors.contains("it is not valid UTF-8"))
            #expect(folder.status == 78)
            #expect(folder.errors.contains("it is no regular file"))
        }

        @Test(arguments: [SIGTERM, SIGINT])
        func `a signal drains the server and ends it well`(signal: Int32) async throws {
            let (status, errors) = try await EndToEnd.onThread {
                let server = try ServerProcess()
                guard let process = server.process else { throw EndToEndFailure("no process") }
                process.signal(SIGHUP)
                try EndToEnd.wait(for: "the note on SIGHUP") { process.errors.contains("SIGHUP does nothing") }
                process.signal(signal)
                try EndToEnd.wait(for: "the server to end") { !process.isRunning }
                return (process.status, process.errors)
            }
            #expect(status == 0)
            #expect(errors.contains("draining for at most 10"))
        }
    }
}
