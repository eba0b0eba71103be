import EdgeCore
import EdgeTunnel
import Glibc
import Testing

@testable import EdgeTransport

/// A visitor's stream whose session ends: what belongs to the visitor, and what does not.
@Suite struct TunnelStreamTests {
    private final class BareLink: TunnelLink {
        private var mux = MuxSession(.server)

        override func open() -> StreamRef? { mux.open() }
        override func send(_ ref: StreamRef, _ bytes: UnsafeRawBufferPointer) -> Int { mux.send(ref, bytes) }
        override func finish(_ ref: StreamRef) { mux.finish(ref) }
        override func abandon(_ ref: StreamRef, _ code: MuxCode) { mux.abandon(ref, code) }
    }

    private final class Reader: ChannelHandler {
        var hasFailed = false
        override func channelFailed(_ channel: Channel) { hasFailed = true }
    }

    /// A visitor who does not read, on a loop that does not run: all happens here.
    private final class Scene {
        let loop: EventLoop
        let link: BareLink
        let stream: TunnelStream
        let channel: Channel
        let reader = Reader()

        init() throws {
            loop = try EventLoop(index: 0)
            loop.service = LoopService(
                loop: loop, settings: TransportSettings(), listenerTLS: try TLSContext.listener(),
                upstreamTLS: try TLSContext.client(.anyone), ticketKeys: TicketKeys(), resolver: Resolver(),
                snapshot: .empty)
            var ends: [Int32] = [0, 0]
            try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &ends) == 0)
            close(ends[1])
            link = BareLink(channel: try Channel(loop: loop, descriptor: ends[0]))
            stream = TunnelStream(link: link, header: [])
            channel = Channel(loop: loop, carrier: stream)
            channel.handler = reader
            channel.pauseReading()
        }

        func arrive(_ text: String) { Array(text.utf8).withUnsafeBytes { stream.arrived($0) } }

        /// All that can still be read, and how it ends.
        func rest() -> String {
            var text = ""
            while true {
                switch channel.read() {
                case .bytes(let bytes): text += String(decoding: bytes, as: UTF8.self)
                case .blocked: return text + " blocked"
                case .ended: return text + " ended"
                case .failed: return text + " failed"
                }
            }
        }
    }

    @Test func `what had arrived whole is read up to its end after the session is gone`() throws {
        let scene = try Scene()
        scene.link.start(scene.stream)
        scene.arrive("all of it")
        scene.stream.inputEnded()
        scene.link.end("gone")
        #expect(!scene.reader.hasFailed && scene.channel.isOpen)
        #expect(scene.rest() == "all of it ended")
    }

    @Test func `what had not arrived whole fails when the session is gone`() throws {
        let scene = try Scene()
        scene.link.start(scene.stream)
        scene.arrive("some of it")
        scene.link.end("gone")
        #expect(scene.reader.hasFailed && !scene.channel.isOpen)
        #expect(scene.stream.isBroken)
        // Bytes may have reached the upstream: nobody else gets them.
        #expect(scene.channel.dialFailure == nil)
    }

    @Test func `a peer that ends its half and then gives up is read to its end, and then heard of`() throws {
        let scene = try Scene()
        scene.link.start(scene.stream)
        scene.arrive("all of it")
        scene.stream.inputEnded()
        scene.stream.wasReset(.cancelled)
        #expect(!scene.reader.hasFailed && !scene.stream.isBroken)
        #expect(scene.rest() == "all of it ended")
        #expect(scene.stream.isBroken)
    }

    @Test func `a peer that gives up after its end was read is heard of at once`() throws {
        let scene = try Scene()
        scene.link.start(scene.stream)
        scene.stream.inputEnded()
        #expect(scene.rest() == " ended")
        #expect(!scene.reader.hasFailed)
        scene.stream.wasReset(.cancelled)
        #expect(scene.reader.hasFailed && !scene.channel.isOpen)
    }

    @Test func `a stream that never had a place is one that could not be dialled`() throws {
        let scene = try Scene()
        scene.link.end("gone")
        scene.link.start(scene.stream)
        #expect(scene.reader.hasFailed)
        #expect(scene.stream.dialFailure == .noTunnel)
    }
}
