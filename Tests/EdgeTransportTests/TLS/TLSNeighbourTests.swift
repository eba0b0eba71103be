import EdgeCore
import EdgeTesting
import EdgeTransport
import Shared
import Testing

/// OpenSSL keeps errors per thread, and a loop is one thread for thousands of connections.
@Suite struct TLSNeighbourTests {
    /// Asks on an open connection, lets another one break, and asks again: the broken one is a handshake of garbage, a
    /// name that is refused, or a sealed request with garbage after it.
    private static let script = """
        import socket, ssl, sys
        port = int(sys.argv[1]); how = sys.argv[2]
        def tls(name):
            context = ssl.create_default_context(); context.check_hostname = False; context.verify_mode = ssl.CERT_NONE
            return context.wrap_socket(socket.create_connection(("127.0.0.1", port), 5), server_hostname=name)
        request = b"GET / HTTP/1.1\\r\\nHost: one.example.com\\r\\n\\r\\n"
        def ask(connection):
            connection.sendall(request)
            return connection.recv(65536).split(b"\\r\\n")[0].decode()
        good = tls("one.example.com")
        ask(good)
        for _ in range(3):
            if how == "garbage":
                bad = socket.create_connection(("127.0.0.1", port), 5)
                bad.sendall(b"no handshake at all, by far\\r\\n\\r\\n")
                bad.recv(100)
            elif how == "name":
                try: tls("unknown.example.com")
                except ssl.SSLError: pass
            else:
                context = ssl.create_default_context(); context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                sealed = context.wrap_bio(incoming, outgoing, server_hostname="one.example.com")
                raw = socket.create_connection(("127.0.0.1", port), 5)
                while True:
                    try: sealed.do_handshake(); break
                    except ssl.SSLWantReadError:
                        raw.sendall(outgoing.read()); incoming.write(raw.recv(65536))
                sealed.write(request)
                raw.sendall(outgoing.read() + b"\\x17\\x03\\x03\\x00\\x20" + b"x" * 32)
                raw.recv(65536)
            print(ask(good))
        """

    @Test(arguments: ["garbage", "name", "record"])
    func `a connection that breaks does not take its neighbours with it`(how: String) async throws {
        try await withEdge { configuration in
            configuration.addDomain("one.example.com")
            configuration.add("bkdhr_1", HTTPResponseBackend.self, ["status_code": 200, "body": "hello"])
            configuration.addEdge(host: "one.example.com", backend: "bkdhr_1")
        } _: { edge in
            let result = try await onThread {
                try Command.run(["python3", "-c", Self.script, "\(edge.httpsPort)", how])
            }
            #expect(result.output == String(repeating: "HTTP/1.1 200 OK\n", count: 3), "\(result.errors)")
        }
    }
}
