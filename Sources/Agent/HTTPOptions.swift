import ArgumentParser
import SelvageAgent

/// The modules that HTTP endpoints have.
struct HTTPOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Ask visitors for a name and a password of at least 8 characters; may be repeated.",
            valueName: "user:password"))
    var basicAuth: [String] = []

    @Flag(help: "Compress answers.")
    var compression = false

    @Option(
        help: ArgumentHelp(
            "Refuse requests while more than this share of them fails, above 0 and at most 1.", valueName: "share"))
    var circuitBreaker: Double?

    @Option(help: ArgumentHelp("Add a header to requests; may be repeated.", valueName: "name:value"))
    var requestHeaderAdd: [String] = []

    @Option(help: ArgumentHelp("Remove a header from requests; may be repeated.", valueName: "name"))
    var requestHeaderRemove: [String] = []

    @Option(help: ArgumentHelp("Add a header to answers; may be repeated.", valueName: "name:value"))
    var responseHeaderAdd: [String] = []

    @Option(help: ArgumentHelp("Remove a header from answers; may be repeated.", valueName: "name"))
    var responseHeaderRemove: [String] = []

    @Option(help: ArgumentHelp("Let in user agents that match; may be repeated.", valueName: "regex"))
    var allowUserAgent: [String] = []

    @Option(help: ArgumentHelp("Keep out user agents that match; may be repeated.", valueName: "regex"))
    var denyUserAgent: [String] = []

    @Option(help: ArgumentHelp("Let in only requests that this service has signed, e.g. github.", valueName: "name"))
    var webhookProvider: String?

    @Option(help: ArgumentHelp("What the service signs with.", valueName: "secret"))
    var webhookSecret: String?

    @Flag(help: "Turn WebSocket connections into TCP for the upstream.")
    var websocketTCPConverter = false

    @Option(
        name: .customLong("mutual-tls-ca"),
        help: ArgumentHelp("Let in only visitors with a certificate of these authorities.", valueName: "file"))
    var mutualTLSCA: String?

    @Option(help: ArgumentHelp("Let visitors log in at an OAuth provider, e.g. google.", valueName: "provider"))
    var oauth: String?

    @Option(help: ArgumentHelp("Let visitors log in by OpenID Connect.", valueName: "issuer url"))
    var oidc: String?

    @Option(help: ArgumentHelp("Of the login's application.", valueName: "id"))
    var clientID: String?

    @Option(help: ArgumentHelp("Of the login's application.", valueName: "secret"))
    var clientSecret: String?

    @Option(help: ArgumentHelp("Who may log in; may be repeated.", valueName: "address"))
    var allowEmail: [String] = []

    @Option(help: ArgumentHelp("Whose addresses may log in; may be repeated.", valueName: "domain"))
    var allowDomain: [String] = []

    @Option(help: ArgumentHelp("A scope to ask the login's provider for; may be repeated.", valueName: "scope"))
    var scope: [String] = []

    func validate() throws {
        let login = [clientID, clientSecret].contains { $0 != nil }
        guard !(login || !allowEmail.isEmpty || !allowDomain.isEmpty || !scope.isEmpty) || oauth != nil || oidc != nil
        else { throw ValidationError("options of a login have no meaning without --oauth or --oidc") }
        guard webhookSecret == nil || webhookProvider != nil else {
            throw ValidationError("--webhook-secret has no meaning without --webhook-provider")
        }
    }

    func apply(to modules: inout EndpointModules) throws(AgentFault) {
        for text in basicAuth { modules.basicAuth.append(try EndpointModules.Credential(text)) }
        modules.compression = compression
        modules.circuitBreaker = circuitBreaker
        try apply(requestHeaderAdd, requestHeaderRemove, to: &modules.requestHeaders)
        try apply(responseHeaderAdd, responseHeaderRemove, to: &modules.responseHeaders)
        modules.userAgents = EndpointModules.Choice(allow: allowUserAgent, deny: denyUserAgent)
        modules.webhook = webhookProvider.map {
            EndpointModules.Webhook(provider: $0, secret: Secret(webhookSecret ?? ""))
        }
        modules.websocketTCPConverter = websocketTCPConverter
        modules.mutualTLSFile = mutualTLSCA
        modules.oauth = login(oauth)
        modules.oidc = login(oidc)
    }

    private func apply(
        _ add: [String], _ remove: [String], to headers: inout EndpointModules.Headers
    ) throws(AgentFault) {
        for text in add { headers.add.append(try EndpointModules.Field(text)) }
        for text in remove { headers.remove.append(try EndpointModules.Field.name(text)) }
    }

    private func login(_ provider: String?) -> EndpointModules.Login? {
        guard let provider else { return nil }
        var login = EndpointModules.Login(
            provider: provider, clientID: clientID ?? "", clientSecret: Secret(clientSecret ?? ""))
        login.emails = allowEmail
        login.domains = allowDomain
        login.scopes = scope
        return login
    }
}
