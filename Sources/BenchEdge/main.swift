import EdgeCore
import EdgeModules
import EdgeTransport
import Glibc
import Shared

let upstreamPort = UInt16(CommandLine.arguments[1])!
let certPath = CommandLine.arguments[2], keyPath = CommandLine.arguments[3]
func slurp(_ p: String) -> String { let f = fopen(p, "r")!; var b = [UInt8](repeating: 0, count: 65536); let n = fread(&b, 1, b.count, f); fclose(f); return String(decoding: b[0..<n], as: UTF8.self) }
var settings = TransportSettings()
settings.loops = Int(CommandLine.arguments.count > 4 ? CommandLine.arguments[4] : "1")!
let slots = SlotTable()
let plane = try EdgeDataPlane(settings: settings, slots: slots)
let lo = IPAddress(v4: 0x7f000001)
try plane.listen(ListenerSettings(kind: .https, address: SocketAddress(lo, port: 9443), region: Region("us")))
try plane.listen(ListenerSettings(kind: .cleartext, address: SocketAddress(lo, port: 9080), region: Region("us")))
plane.start()
var c = Configuration()
c.revision = 1
let m = CertificateMaterial(id: "cert_1", chainPEM: slurp(certPath), keyPEM: slurp(keyPath))
c.certificates["cert_1"] = m
c.domains["rd_1"] = DomainConfiguration(id: "rd_1", name: "bench.localhost", certificate: "cert_1")
c.backends["bkdsc_1"] = BackendConfiguration(id: "bkdsc_1", kind: "static", settings: try StaticBackend.normalise(["address": .string("127.0.0.1:\(upstreamPort)"), "tls": ["enabled": false]]))
c.edges["edghts_1"] = EdgeConfiguration(id: "edghts_1", kind: .https, hostports: ["bench.localhost:443"], routes: [RouteConfiguration(id: "edghtsrt_1", matchType: .pathPrefix, match: "/", backend: BackendReference(id: "bkdsc_1"))])
let snap = SnapshotCompiler(modules: StandardModules.registry, slots: slots, breakers: CircuitBreakers()).compile(c, touched: nil, previous: nil)
print(snap.faults)
await plane.publish(snap)
print("ready")
while true { try await Task.sleep(for: .seconds(3600)) }
