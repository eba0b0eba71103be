import EdgeCore
import Shared
import Synchronization
import Testing

@testable import EdgeControl

@Suite struct EventDestinationTests {
    private static let role: JSON = ["role": ["role_arn": "arn:aws:iam::123456789012:role/example"]]
    private static let stream = "arn:aws:kinesis:us-east-2:123456789012:stream/mystream"
    private static let creds: JSON = [
        "creds": ["aws_access_key_id": "AKIA1", "aws_secret_access_key": "top-secret-aws"]
    ]

    private static func kinesis(_ auth: JSON?, _ stream: String = stream) -> JSON {
        ["kinesis": ["auth": auth ?? .null, "stream_arn": .string(stream)]]
    }

    private static let azure: JSON = [
        "azure_logs_ingestion": [
            "tenant_id": "t", "client_id": "c", "client_secret": "top-secret-azure",
            "logs_ingestion_uri": "https://logs.example.com", "data_collection_rule_id": "r",
            "data_collection_stream_name": "s",
        ]
    ]

    @Test func `a destination is answered with every target, null but for its own`() async throws {
        let room = try await ControlRoom()
        let made = try await room.call(
            "POST", "/event_destinations",
            [
                "format": "JSON", "description": "dev",
                "target": EventDestinationTests.kinesis(EventDestinationTests.role),
            ])
        #expect(made.status == 201, "\(made.body.text)")
        #expect(made.id.hasPrefix("ed_"))
        let expected: JSON = [
            "id": .string(made.id), "uri": .string("http://admin.local:80/event_destinations/\(made.id)"),
            "created_at": "2027-01-15T08:00:00Z", "description": "dev", "metadata": "", "format": "json",
            "target": [
                "kinesis": [
                    "auth": ["role": ["role_arn": "arn:aws:iam::123456789012:role/example"], "creds": nil],
                    "stream_arn": .string(EventDestinationTests.stream),
                ],
                "firehose": nil, "cloudwatch_logs": nil, "datadog": nil, "azure_logs_ingestion": nil,
            ],
        ]
        #expect(made.body == expected)
        #expect(try await room.call("GET", "/event_destinations/\(made.id)").body == expected)
        #expect(try await room.call("GET", "/event_destinations")["event_destinations"] == [expected])
        // What was answered may be sent back.
        let path = "/event_destinations/\(made.id)"
        let same = try await room.call("PATCH", path, ["target": made["target"] ?? nil, "format": ""])
        #expect(same.body == expected, "\(same.body.text)")
        #expect(try await room.call("PATCH", path, ["metadata": "m"])["target"] == expected["target"])
        #expect(try await room.call("DELETE", path).status == 204)
        #expect(try await room.call("GET", path).status == 404)
    }

    @Test func `secrets are kept, and shown nowhere`() async throws {
        let room = try await ControlRoom()
        let targets: [JSON] = [
            EventDestinationTests.kinesis(EventDestinationTests.creds), EventDestinationTests.azure,
            ["datadog": ["api_key": "top-secret-datadog", "ddtags": "a:b", "service": "s", "ddsite": "datadoghq.eu"]],
        ]
        for target in targets {
            let made = try await room.call("POST", "/event_destinations", ["format": "json", "target": target])
            #expect(made.status == 201, "\(made.body.text)")
            #expect(!made.body.text.contains("top-secret"))
            #expect(room.service.state[made.id]?.secret?.text.contains("top-secret") == true)
            let path = "/event_destinations/\(made.id)"
            // What was answered may be sent back: an empty secret stays.
            let back = try await room.call("PATCH", path, ["target": made["target"] ?? nil, "metadata": "m"])
            #expect(back["target"] == made["target"])
            #expect(room.service.state[made.id]?.secret?.text.contains("top-secret") == true)
        }
        for path in ["/selvage/configuration", "/selvage/audit", "/event_destinations"] {
            #expect(try await room.call("GET", path).body.text.contains("top-secret") == false)
        }
        #expect(room.audited.withLock { String(describing: $0) }.contains("top-secret") == false)
    }

    @Test func `a new secret alone is a change, and moving to another receiver needs the secret again`() async throws {
        let room = try await ControlRoom()
        let made = try await room.call(
            "POST", "/event_destinations", ["format": "json", "target": EventDestinationTests.azure])
        let path = "/event_destinations/\(made.id)"
        var fields = EventDestinationTests.azure["azure_logs_ingestion"]?.objectValue ?? [:]
        fields["client_secret"] = "another"
        let revision = room.service.revision
        let changed = try await room.call("PATCH", path, ["target": ["azure_logs_ingestion": .object(fields)]])
        #expect(changed.body == made.body)
        #expect(room.service.revision == revision + 1)
        #expect(room.service.state[made.id]?.secret == ["client_secret": "another"])
        fields["client_secret"] = ""
        fields["logs_ingestion_uri"] = "https://elsewhere.example.com"
        let moved = try await room.call("PATCH", path, ["target": ["azure_logs_ingestion": .object(fields)]])
        #expect(moved.code == "ERR_NGROK_236")
        fields["client_secret"] = "third"
        let sent = try await room.call("PATCH", path, ["target": ["azure_logs_ingestion": .object(fields)]])
        #expect(sent.status == 200)
        #expect(sent["target"]?["azure_logs_ingestion"]?["logs_ingestion_uri"] == "https://elsewhere.example.com")

        let amazon = try await room.call(
            "POST", "/event_destinations",
            ["format": "json", "target": EventDestinationTests.kinesis(EventDestinationTests.creds)])
        let other: JSON = ["creds": ["aws_access_key_id": "AKIA2", "aws_secret_access_key": ""]]
        let keyless = try await room.call(
            "PATCH", "/event_destinations/\(amazon.id)", ["target": EventDestinationTests.kinesis(other)])
        #expect(keyless.code == "ERR_NGROK_240")
        let role = try await room.call(
            "PATCH", "/event_destinations/\(amazon.id)",
            ["target": EventDestinationTests.kinesis(EventDestinationTests.role)])
        #expect(role["target"]?["kinesis"]?["auth"]?["creds"] == .null)
        #expect(room.service.state[amazon.id]?.secret == nil)
    }

    @Test func `what no destination may be is refused with its code`() async throws {
        let room = try await ControlRoom()
        let role = EventDestinationTests.role
        let creds = EventDestinationTests.creds
        let good = EventDestinationTests.kinesis(role)
        let kinesis = { (auth: JSON?) in EventDestinationTests.kinesis(auth) }
        let named = { (arn: String) in EventDestinationTests.kinesis(role, arn) }
        let both = (role.objectValue ?? [:]).merging(creds.objectValue ?? [:]) { $1 }
        let faults: [(JSON, JSON, String)] = [
            ("", good, "235"), ("xml", good, "235"), ("json", nil, "5100"), ("json", [:], "5100"),
            ("json", ["kinesis": nil], "5100"), ("json", ["s3": [:]], "214"),
            ("json", ["kinesis": good["kinesis"] ?? nil, "datadog": ["api_key": "k"]], "5115"),
            ("json", kinesis(nil), "5106"), ("json", kinesis([:]), "5107"), ("json", kinesis(.object(both)), "5116"),
            ("json", kinesis(["role": ["role_arn": "nonsense"]]), "5104"),
            ("json", kinesis(["role": ["role_arn": "arn:aws:s3::1:role/x"]]), "5104"),
            ("json", kinesis(["creds": ["aws_access_key_id": "a"]]), "240"),
            ("json", kinesis(["creds": ["aws_secret_access_key": "a"]]), "240"),
            ("json", named("nonsense"), "5120"), ("json", named(""), "5120"),
            ("json", named("arn:moon:kinesis:us-east-2:1:stream/x"), "5118"),
            ("json", named("arn:aws:firehose:us-east-2:1:stream/x"), "5119"),
            ("json", named("arn:aws:kinesis:us-east-2:1:table/x"), "5130"),
            ("json", ["datadog": [:]], "236"), ("json", ["azure_logs_ingestion": ["tenant_id": "t"]], "236"),
            ("json", ["datadog": ["api_key": .string(String(repeating: "k", count: 2049))]], "236"),
            ("json", ["datadog": ["api_key": 1]], "213"), ("json", "kinesis", "213"),
        ]
        for (format, target, code) in faults {
            let answer = try await room.call("POST", "/event_destinations", ["format": format, "target": target])
            #expect(answer.code == "ERR_NGROK_\(code)", "\(target.text.prefix(120)): \(answer.body.text.prefix(200))")
            #expect(answer.status == 400)
        }
        let made = try await room.make("/event_destinations", ["format": "json", "target": good])
        let switched = try await room.call(
            "PATCH", "/event_destinations/\(made)", ["target": EventDestinationTests.azure])
        #expect(switched.code == "ERR_NGROK_5108")
        #expect(try await room.call("PATCH", "/event_destinations/\(made)", ["format": "xml"]).code == "ERR_NGROK_235")
        let long: JSON = ["description": .string(String(repeating: "x", count: 256))]
        let answer = try await room.call("PATCH", "/event_destinations/\(made)", long)
        #expect(answer.status == 400 && answer.code == nil)
    }
}
