import CZlib
import EdgeCore
import EdgeModules
import Shared
import Testing

@Suite struct CompressionTests {
    private let page = [UInt8](String(repeating: "<p>The quick brown fox.</p>\n", count: 200).utf8)

    /// Runs both phases; gives the transform.
    private func run(_ view: ExchangeView) throws -> (any BodyTransform)? {
        let module = try Compression(settings: [:], environment: environment())
        var note: UInt64 = 0
        _ = module.onRequest(view, note: &note)
        return module.onResponse(view, note: &note)
    }

    private func view(
        accept: String? = "gzip", method: String = "GET", status: Int = 200, _ response: [(String, String)] = []
    ) -> ExchangeView {
        exchange(
            method: method, request: accept.map { [("accept-encoding", $0)] } ?? [], status: status,
            response: [("content-type", "text/html; charset=utf-8")] + response)
    }

    @Test(arguments: [("gzip", 15 + 16), ("deflate", 15)])
    func `the body arrives as it was, in the coding that was named`(coding: String, window: Int) throws {
        let view = view(accept: coding, [("content-length", "\(page.count)"), ("etag", "\"abc\"")])
        let transform = try #require(try run(view))
        #expect(values(view.response, "content-encoding") == [coding])
        #expect(values(view.response, "content-length").isEmpty)
        #expect(values(view.response, "vary") == ["Accept-Encoding"])
        #expect(values(view.response, "etag") == ["W/\"abc\""])
        #expect(view.variables.contains { "\($0.name)" == "compression.algorithm" && $0.value == coding })
        var output: [UInt8] = []
        page.withUnsafeBytes { transform.transform($0, into: &output) }
        transform.finish(into: &output)
        #expect(output.count < page.count / 5)
        #expect(inflated(output, window: Int32(window)) == page)
    }

    @Test func `every piece can be read as soon as it has passed`() throws {
        let transform = try #require(try run(view([("content-type", "text/event-stream")])))
        var output: [UInt8] = []
        var expected: [UInt8] = []
        for number in 0..<50 {
            let piece = Array("data: \(number)\n\n".utf8)
            expected += piece
            let before = output.count
            piece.withUnsafeBytes { transform.transform($0, into: &output) }
            #expect(output.count > before)
            #expect(inflated(output, window: 15 + 16) == expected)
        }
        let before = output.count
        transform.transform(UnsafeRawBufferPointer(start: nil, count: 0), into: &output)
        #expect(output.count == before)
        transform.finish(into: &output)
        #expect(inflated(output, window: 15 + 16) == expected)
    }

    @Test func `bodies of any size and content survive, in any pieces`() throws {
        var state: UInt64 = 88_172_645_463_325_252
        let next = { () -> UInt64 in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return state
        }
        for size in [0, 1, 255, 70_000, 400_000] {
            let body = (0..<size).map { _ in UInt8(truncatingIfNeeded: next()) & (size % 2 == 0 ? 255 : 15) }
            let transform = try #require(try run(view()))
            var output: [UInt8] = []
            var rest = body[...]
            while !rest.isEmpty {
                let piece = rest.prefix(Int(next() % 100_000) + 1)
                piece.withUnsafeBytes { transform.transform($0, into: &output) }
                rest = rest.dropFirst(piece.count)
            }
            transform.finish(into: &output)
            #expect(inflated(output, window: 15 + 16) == body)
        }
    }

    @Test(arguments: [
        ("gzip", "gzip"), ("deflate", "deflate"), ("gzip, deflate, br", "gzip"), ("deflate, gzip", "gzip"),
        ("gzip;q=0.5, deflate;q=0.8", "deflate"), ("gzip;q=0", nil), ("br", nil), ("*", "gzip"),
        ("gzip;q=0, *", "deflate"), ("*;q=0", nil), ("identity", nil), ("", nil), ("GZIP", "gzip"), ("x-gzip", "gzip"),
        ("gzip;q=0.001", "gzip"), ("gzip ; q=1.0", "gzip"), ("gzip;Q=0.9,identity;q=0.1", "gzip"),
        ("identity;q=1, gzip;q=0.5", nil), ("identity;q=0, br", nil), ("gzip;q=2", nil), ("gzip;q=", nil),
        ("gzip;q=0.1234", nil), ("gzip;q=abc", nil), (",,gzip", "gzip"), ("gzipped", nil),
        ("br;q=1.0, gzip;q=0.8", "gzip"),
    ])
    func `the client's weights decide`(accept: String, expected: String?) throws {
        let view = view(accept: accept)
        let transform = try run(view)
        #expect((transform != nil) == (expected != nil))
        #expect(values(view.response, "content-encoding") == (expected.map { [$0] } ?? []))
        // A cache must know that others get another form.
        #expect(values(view.response, "vary") == ["Accept-Encoding"])
    }

    @Test func `weights may be spread over several fields`() throws {
        let view = exchange(
            request: [("accept-encoding", "br"), ("Accept-Encoding", "deflate")],
            response: [("content-type", "text/plain")])
        #expect(try run(view) != nil)
        #expect(values(view.response, "content-encoding") == ["deflate"])
    }

    @Test func `a client that does not say what it accepts gets everything as it is`() throws {
        let view = view(accept: nil, [("content-length", "5000"), ("etag", "\"a\"")])
        #expect(try run(view) == nil)
        #expect(values(view.response, "content-length") == ["5000"])
        #expect(values(view.response, "etag") == ["\"a\""])
        #expect(values(view.response, "vary").isEmpty)
    }

    @Test(arguments: [
        [("content-encoding", "gzip")], [("content-encoding", "br")], [("cache-control", "public, no-transform")],
        [("content-length", "255")], [("content-length", "0")], [("content-range", "bytes 0-1/2")],
        [("content-digest", "sha-256=:x:")],
    ])
    func `what is compressed, short or not to be changed is left alone`(fields: [(String, String)]) throws {
        let view = view(fields)
        #expect(try run(view) == nil)
        #expect(values(view.response, "vary").isEmpty)
    }

    @Test(arguments: [100, 101, 103, 204, 205, 206, 304])
    func `answers without a body of their own are left alone`(status: Int) throws {
        #expect(try run(view(status: status)) == nil)
    }

    @Test(arguments: [200, 201, 400, 404, 500]) func `errors are compressed as well`(status: Int) throws {
        #expect(try run(view(status: status)) != nil)
    }

    @Test func `HEAD keeps the plain form's headers, and says that it varies`() throws {
        let view = view(method: "HEAD", [("content-length", "5000")])
        #expect(try run(view) == nil)
        #expect(values(view.response, "content-length") == ["5000"])
        #expect(values(view.response, "vary") == ["Accept-Encoding"])
    }

    @Test(arguments: [
        ("image/png", false), ("image/svg+xml", true), ("IMAGE/JPEG", false), ("video/mp4", false),
        ("audio/ogg", false),
        ("application/zip", false), ("application/gzip", false), ("font/woff2", false),
        ("application/grpc+proto", false),
        ("application/octet-stream", false), ("application/json", true), ("text/css;charset=utf-8", true),
        ("application/wasm", true), ("application/epub+zip", false), ("text/event-stream", true),
    ])
    func `media types that are compressed already are left alone`(type: String, isCompressed: Bool) throws {
        let view = exchange(request: [("accept-encoding", "gzip")], response: [("content-type", type)])
        #expect((try run(view) != nil) == isCompressed)
    }

    @Test(
        arguments: [
            ([("vary", "Cookie")], ["Cookie, Accept-Encoding"]), ([("vary", "accept-encoding")], ["accept-encoding"]),
            ([("vary", "*")], ["*"]), ([("vary", "Cookie"), ("Vary", "Origin")], ["Cookie, Origin, Accept-Encoding"]),
            ([("vary", "")], ["Accept-Encoding"]),
        ] as [([(String, String)], [String])])
    func `Vary is joined with what is there`(fields: [(String, String)], expected: [String]) throws {
        let view = view(fields)
        #expect(try run(view) != nil)
        #expect(values(view.response, "vary") == expected)
    }

    @Test func `a weak tag stays as it is, and ranges are no longer offered`() throws {
        let view = view([("etag", "W/\"a\""), ("accept-ranges", "bytes")])
        #expect(try run(view) != nil)
        #expect(values(view.response, "etag") == ["W/\"a\""])
        #expect(values(view.response, "accept-ranges").isEmpty)
    }

    @Test func `what request_headers does to the request does not matter`() throws {
        let chain = try StandardModules.registry.chain(
            ["compression": [:], "request_headers": ["add": [:], "remove": ["accept-encoding"]]],
            environment: environment())
        let view = view()
        guard case .proceed = chain.onRequest(view) else {
            Issue.record("expected to proceed")
            return
        }
        #expect(values(view.request, "accept-encoding").isEmpty)
        #expect(chain.onResponse(view) != nil)
    }

    /// Everything that zlib can read of `bytes` so far.
    private func inflated(_ bytes: [UInt8], window: Int32) -> [UInt8] {
        var bytes = bytes
        var stream = z_stream()
        guard inflateInit2_(&stream, window, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            return []
        }
        defer { inflateEnd(&stream) }
        var output = [UInt8](repeating: 0, count: 1 << 20)
        let count = bytes.count
        bytes.withUnsafeMutableBufferPointer { input in
            output.withUnsafeMutableBufferPointer { output in
                stream.next_in = input.baseAddress
                stream.avail_in = UInt32(count)
                stream.next_out = output.baseAddress
                stream.avail_out = UInt32(output.count)
                _ = inflate(&stream, Z_SYNC_FLUSH)
            }
        }
        return Array(output[..<Int(stream.total_out)])
    }
}
