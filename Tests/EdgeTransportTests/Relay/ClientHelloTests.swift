import EdgeCore
import EdgeTesting
import EdgeTransport
import Shared
import Testing

/// ClientHellos that do not come in one piece.
@Suite struct ClientHelloTests {
    /// Shakes hands with a hello cut into small segments; `big` offers so many protocols that it fills three records.
    private static let script = """
        import socket, ssl, sys, time
        port, name, size = int(sys.argv[1]), sys.argv[2], sys.argv[3]
        context = ssl.create_default_context(); context.check_hostname = False; context.verify_mode = ssl.CERT_NONE
        names = ["http/1.1"] + (["x%04d" % n + "y" * 200 for n in range(200)] if size == "big" else [])
        context.set_alpn_protocols(names)
        raw = socket.create_connection(("127.0.0.1", port), 5)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
        def step(work):
            while True:
                try: result = work()
                except ssl.SSLWantReadError: result = None
                flight = outgoing.read()
                part = max(1, len(flight) // 7)
                for index in range(0, len(flight), part):
                    raw.sendall(flight[index:index + part]); time.sleep(0.002)
                if result is not None: return result
                incoming.write(raw.recv(65536))
        step(lambda: tls.do_handshake() or True)
        tls.write(("GET / HTTP/1.1\\r\\nHost: %s\\r\\nConnection: close\\r\\n\\r\\n" % name).encode())
        print(step(lambda: tls.read(65536)).decode().split("\\r\\n\\r\\n")[-1])
        """

    @Test(arguments: ["zero.example.com", "here.example.com"], ["small", "big"])
    func `a ClientHello in many pieces is passed through or terminated like any other`(
        name: String, size: String
    ) async throws {
        try await withEdge { configuration in
            configuration.addDomain("zero.example.com")
            configuration.add("bkdhr_1", HTTPResponseBackend.self, ["status_code": 200, "body": "zero.example.com"])
            configuration.addEdge(host: "zero.example.com", backend: "bkdhr_1")
        } _: { inner in
            try await withEdge { configuration in
                configuration.addDomain("here.example.com")
                configuration.add(
                    "bkdhr_1", HTTPResponseBackend.self, ["status_code": 200, "body": "here.example.com"])
                configuration.addEdge(host: "here.example.com", backend: "bkdhr_1")
                configuration.addStatic("bkdsc_a", port: inner.httpsPort)
                configuration.edges["edgtls_1"] = EdgeConfiguration(
                    id: "edgtls_1", kind: .tls, hostports: ["zero.example.com:443"],
                    modules: ["tls_termination": ["enabled": true, "terminate_at": "upstream"]],
                    backend: BackendReference(id: "bkdsc_a"))
            } _: { edge in
                let result = try await onThread {
                    try Command.run(["python3", "-c", Self.script, "\(edge.httpsPort)", name, size])
                }
                #expect(result.output == name + "\n", "\(result.errors)")
            }
        }
    }
}
