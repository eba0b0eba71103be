import EdgeCore
import Shared

/// An exchange with these heads, for tests.
func exchange(
    method: String = "GET", target: String = "/", host: String = "example.com",
    request: [(String, String)] = [], status: Int = 200, response: [(String, String)] = [],
    client: String = "192.0.2.7", at seconds: Double = 1000
) -> ExchangeView {
    let view = ExchangeView()
    view.request.method = view.request.store(method)
    view.request.target = view.request.store(target)
    view.request.host = view.request.store(host)
    view.request.append(.host, host)
    for (name, value) in request { view.request.append(name, value) }
    view.response.status = status
    for (name, value) in response { view.response.append(name, value) }
    view.connection = connection(client)
    view.isSecure = true
    view.now = MonotonicTime(seconds: seconds)
    return view
}

func connection(_ client: String) -> ConnectionFacts {
    ConnectionFacts(
        clientAddress: IPAddress(client) ?? .unspecified, clientPort: 50123,
        serverAddress: IPAddress(v4: 0x0A00_0001), serverPort: 443, serverName: "example.com", tlsVersion: "TLSv1.3",
        tlsCipher: "TLS_AES_128_GCM_SHA256", region: Region("eu"), start: MonotonicTime(seconds: 900))
}

/// The values of a field, in order.
func values(_ head: MessageHead, _ name: String) -> [String] {
    head.fields.filter { head.equals($0.name, name) }.map { head.text($0.value) }
}

func environment(
    _ policies: [String: [IPPolicyRule]] = [:], breakers: CircuitBreakers = CircuitBreakers(), owner: String = "r"
) -> ModuleEnvironment {
    ModuleEnvironment(ownerID: owner, breakers: breakers) { policies[$0.rawValue] }
}

/// The code of the fault that a module's settings have, or `nil`.
func fault(_ module: any TrafficModule.Type, _ settings: JSON) -> String? {
    do {
        _ = try module.normalise(settings)
        return nil
    } catch {
        return error.code
    }
}
