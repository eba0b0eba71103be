import Shared
import Testing

@testable import EdgeTunnel

@Suite struct MessagesTests {
    /// agent-protocol.md 6.4, of the wheel.
    static let auth = """
        {"Version":["3","2"],"ClientId":"c1","Extra":{"OS":"linux","Arch":"x86_64","AuthToken":"tok","Version":"1.4.0",
        "Hostname":"h","UserAgent":"ngrok-python/1.4.0 ngrok-rust/0.14.0-pre.14","Metadata":"m","Cookie":"ck",
        "HeartbeatInterval":10000000000,"HeartbeatTolerance":15000000000,"UpdateUnsupportedError":null,
        "StopUnsupportedError":"","RestartUnsupportedError":"no callback","ProxyType":"","MutualTLS":false,
        "ServiceRun":false,"ConfigVersion":"","CustomInterface":false,"CustomCAs":false,"ClientType":"ngrok-python"}}
        """

    private func json(_ text: String) throws -> JSON { try JSONReader.read(Array(text.utf8)) }

    @Test func `an Auth of the wheel is read in full`() throws {
        let request = AuthRequest(try json(Self.auth))
        #expect(request.versions == ["3", "2"] && request.clientID == "c1" && request.cookie == "ck")
        #expect(request.authtoken == "tok" && request.os == "linux" && request.arch == "x86_64")
        #expect(request.agentVersion == "1.4.0" && request.clientType == "ngrok-python" && request.hostname == "h")
        #expect(request.metadata == "m" && request.heartbeatInterval == 10_000_000_000)
        #expect(request.heartbeatTolerance == 15_000_000_000)
        #expect(request.updateUnsupported == nil && request.stopUnsupported == "")
        #expect(request.restartUnsupported == "no callback" && request.leg == 0 && request.extension == nil)
    }

    @Test func `keys are read whatever their case, and null is absent`() throws {
        let request = AuthRequest(
            try json(
                #"{"clientid":"c","EXTRA":{"Authtoken":"go","LegNumber":2,"Cookie":null,"HeartbeatInterval":"x"}}"#))
        #expect(request.authtoken == "go" && request.clientID == "c" && request.leg == 2 && request.cookie == "")
        #expect(request.heartbeatInterval == 10_000_000_000)
    }

    @Test func `of two keys that differ in their case the same one counts every time`() throws {
        for _ in 0..<20 {
            let request = AuthRequest(try json(#"{"Extra":{"AuthToken":"a","Authtoken":"b","authtoken":"c"}}"#))
            #expect(request.authtoken == "c")
        }
    }

    @Test func `an authtoken and a cookie are never in a description`() throws {
        let text = String(describing: AuthRequest(try json(Self.auth)))
        #expect(!text.contains("tok") && !text.contains("ck"))
    }

    @Test func `our own messages are read back as they were written`() throws {
        var auth = AuthRequest(try json(Self.auth))
        auth.extension = Extension(streams: 9)
        #expect(AuthRequest(auth.document) == auth)
        let reply = AuthReply(
            clientID: "c", cookie: "k", region: "r", accountName: "a", extension: Extension(streams: 9))
        #expect(AuthReply(reply.document) == reply)
        let bind = BindReply(id: "i", url: "https://a", proto: "https", options: ["Hostname": "a"], token: "t")
        #expect(BindReply(bind.document) == bind)
        var labels = LabelRequest(labels: ["edge": "e", "app": "a"])
        labels.proxyProtocol = 2
        #expect(LabelRequest(labels.document) == labels)
    }

    @Test func `a reply to Auth has every member that official agents require, in its type`() {
        let document = Auth.reply.document
        #expect(document["Version"] == "3" && document["ClientId"] == "c" && document["Error"] == "")
        #expect(document["Extra"]?["SessionDuration"] == 0 && document["Extra"]?["Cookie"] == "k")
        #expect(document["Extra"]?["Selvage"] == nil)
    }

    @Test func `a reply to Bind has every member that official agents require, and all options of the request`() throws
    {
        let options =
            #"{"Hostname":"","TLSTermination":{"cert":"c","key":"k"},"BasicAuth":{"credentials":[{"u":1}]},"x":0.5}"#
        let request = BindRequest(try json(#"{"Id":"","Proto":"https","Opts":\#(options),"Extra":{"Bindings":null}}"#))
        #expect(request.options == (try json(options)))
        let reply = BindReply(id: "i", url: "https://a", proto: "https", options: request.options, token: "t").document
        #expect(reply["Id"] == "i" && reply["URL"] == "https://a" && reply["Proto"] == "https")
        #expect(reply["Opts"] == request.options && reply["Extra"]?["Token"] == "t")
    }

    @Test(arguments: [
        (#"{"URL":"u","Domain":"d","Hostname":"h"}"#, BindRequest.Wanted.url("u")),
        (#"{"Domain":"d","Hostname":"h"}"#, .hostname("d")), (#"{"Hostname":"h","Subdomain":"s"}"#, .hostname("h")),
        (#"{"Hostname":"","Subdomain":"s"}"#, .subdomain("s")), (#"{"Addr":"a:1"}"#, .address("a:1")),
        ("{}", .anywhere),
    ]) func `an endpoint is wanted where the first of its names says`(options: String, at wanted: BindRequest.Wanted)
        throws
    {
        #expect(BindRequest(try json(#"{"Opts":\#(options)}"#)).wanted == wanted)
    }

    @Test func `a patch leaves alone what it does not name`() throws {
        let patch = PatchRequest(try json(#"{"TunnelId":"t","Description":"d","PoolingEnabled":false}"#))
        #expect(patch.id == "t" && patch.description == "d" && patch.poolingEnabled == false)
        #expect(patch.name == nil && patch.metadata == nil && patch.trafficPolicy == nil)
    }

    @Test func `a refusal has its code on a line of its own`() {
        let refusal = Refusal(107, "The authtoken is not valid.")
        #expect(refusal.document == ["Error": "The authtoken is not valid.\r\n\r\nERR_NGROK_107\r\n"])
        #expect(Refusal.of(refusal.document) == refusal)
        #expect(Refusal(nil, "no").document == ["Error": "no"])
    }

    @Test func `an Error that is empty, null or absent is a success`() {
        #expect(Refusal.of(["Error": ""]) == nil && Refusal.of(["Error": nil]) == nil && Refusal.of([:]) == nil)
        #expect(Refusal.of(["error": "x"])?.text == "x")
    }

    @Test func `an extension is agreed on within its limits`() {
        #expect(Extension(["Version": 1, "Streams": 1_000_000])?.streams == 65_536)
        #expect(Extension(["Version": 1, "Streams": -5])?.streams == 1)
        #expect(Extension(["Version": 2, "Streams": 5]) == nil && Extension(nil) == nil && Extension("x") == nil)
    }

    @Test func `an update names both members that agents require`() {
        let update = ServerCommand.update(version: "9.9.9")
        #expect(update.document == ["Version": "9.9.9", "PermitMajorVersion": true])
        #expect(ServerCommand.stopTunnel(id: "i", message: "m", code: nil).document["ErrorCode"] == JSON.null)
    }
}
