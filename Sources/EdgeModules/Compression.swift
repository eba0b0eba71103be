public import EdgeCore
public import Shared

/// Compresses answers with gzip or deflate for clients that accept it, as they pass.
///
/// Left alone are answers that are compressed already (by their coding or their media type), short or partial ones,
/// those that forbid transforming, and everything for clients that do not say what they accept.
public final class Compression: TrafficModule {
    public static let name = "compression"
    public static let edgeKinds: Set<EdgeKind> = [.https]
    public static let phases: ModulePhases = [.request, .response]
    public static let settings = Shape("EndpointCompression", [])
    public static let example: JSON = [:]

    /// Bytes below which a compressed body is hardly shorter.
    static let shortest = 256
    /// Set in the note beside the coding when the answer has no body.
    private static let bodiless: UInt64 = 1 << 8

    public init(settings: JSON, environment: ModuleEnvironment) throws(Fault) {}

    public static func normalise(_ settings: JSON) throws(Fault) -> JSON {
        _ = try SettingsReader(settings, Self.settings, subject: "compression module")
        return [:]
    }

    /// The request's own words are read here, before `request_headers` may change what the upstream gets to see.
    public func onRequest(_ exchange: ExchangeView, note: inout UInt64) -> Verdict {
        guard let coding = ContentCoding.preferred(exchange.request) else { return .proceed }
        note = coding.rawValue
        if exchange.request.equals(exchange.request.method, "HEAD") { note |= Compression.bodiless }
        return .proceed
    }

    public func onResponse(_ exchange: ExchangeView, note: inout UInt64) -> (any BodyTransform)? {
        let head = exchange.response
        guard let coding = ContentCoding(rawValue: note & 0xFF), Compression.isCompressible(head) else { return nil }
        // Caches must know that other clients get another form, also when this one gets the plain one.
        Compression.addVary(head)
        guard coding != .identity, note & Compression.bodiless == 0, let deflater = Deflater(coding) else {
            return nil
        }
        head.remove(.contentLength)
        head.remove(.contentEncoding)
        head.append(.contentEncoding, coding.text)
        // Ranges of the plain form mean nothing for this one.
        head.remove("accept-ranges")
        Compression.weakenTag(head)
        exchange.publish("compression.algorithm", coding.text)
        return deflater
    }

    private static func isCompressible(_ head: MessageHead) -> Bool {
        switch head.status {
        case ..<200, 204, 205, 206, 304: return false
        default: break
        }
        for field in head.fields {
            switch field.id {
            case .contentEncoding:
                if !head.equals(field.value, "identity") { return false }
            case .contentLength:
                if isShort(head, field.value) { return false }
            case .contentType:
                if head.withBytes(field.value, MediaType.isCompressed) { return false }
            case .cacheControl:
                if head.hasToken(field.value, "no-transform") { return false }
            case .other:
                // A digest of the bytes that were sent would be wrong for those that arrive (RFC 9530).
                if digests.contains(where: { head.equals(field.name, $0) }) { return false }
            default: break
            }
        }
        return true
    }

    private static let digests = ["content-md5", "digest", "content-digest", "repr-digest", "content-range"]

    private static func isShort(_ head: MessageHead, _ value: MessageHead.Slice) -> Bool {
        // Three digits or fewer; longer than that is not short.
        value.count <= 3 && (Int(head.text(value)) ?? 0) < shortest
    }

    private static func addVary(_ head: MessageHead) {
        for field in head.fields
        where field.id == .vary && (head.hasToken(field.value, "accept-encoding") || head.hasToken(field.value, "*")) {
            return
        }
        let present = head.fields.filter { $0.id == .vary }.map { head.text($0.value) }.filter { !$0.isEmpty }
        head.remove(.vary)
        head.append(.vary, (present + ["Accept-Encoding"]).joined(separator: ", "))
    }

    /// The bytes differ from those the strong tag stands for, the meaning does not (RFC 9110, 8.8.1).
    private static func weakenTag(_ head: MessageHead) {
        guard let value = head.value(.etag) else { return }
        let tag = head.text(value)
        guard tag.hasPrefix("\"") else { return }
        head.remove(.etag)
        head.append(.etag, "W/" + tag)
    }
}

/// Which media types are compressed already.
enum MediaType {
    /// Whether compressing a body of that `content-type` would cost time and save nothing.
    static func isCompressed(_ value: UnsafeBufferPointer<UInt8>) -> Bool {
        var end = 0
        while end < value.count, value[end] != 0x3B, value[end] != 0x20, value[end] != 0x09 { end += 1 }
        let type = String(decoding: value[0..<end], as: UTF8.self).lowercased()
        if type.hasPrefix("image/") { return type != "image/svg+xml" && type != "image/bmp" }
        return type.hasPrefix("video/") || type.hasPrefix("audio/") || type.hasPrefix("application/grpc")
            || type.hasPrefix("font/woff") || type.hasSuffix("+zip") || listed.contains(type)
    }

    private static let listed: Set<String> = [
        "application/zip", "application/gzip", "application/x-gzip", "application/x-compress",
        "application/x-compressed", "application/x-bzip2", "application/x-xz", "application/zstd",
        "application/x-7z-compressed", "application/x-rar-compressed", "application/vnd.rar",
        "application/java-archive", "application/octet-stream", "application/pdf", "application/ogg",
        "application/x-brotli", "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ]
}
