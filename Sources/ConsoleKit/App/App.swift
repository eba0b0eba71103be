public import Shared

/// The console as a value: keys and messages in, effects and a canvas out. It reads no clock and touches nothing.
public struct App: Sendable {
    public struct Options: Sendable {
        /// Narrows the role that the server gives.
        public var readOnly: Bool
        /// Names of the themes that `Effect.setTheme` may ask for, the present one first.
        public var themes: [String]
        /// Where the admin API is, for messages, e.g. the socket's path.
        public var address: String
        /// Which screen to begin with, e.g. `overview`.
        public var screen: String

        public init(
            readOnly: Bool = false, themes: [String] = ["harbour", "daylight"], address: String = "",
            screen: String = "overview"
        ) {
            self.readOnly = readOnly
            self.themes = themes
            self.address = address
            self.screen = screen
        }
    }

    public init(options: Options = Options()) {}

    /// The first effects: call once.
    public mutating func start(now: Double) -> [Effect] { [.openStream] }
    /// Seconds on a clock that only moves forward.
    public mutating func handle(_ key: Key, now: Double) -> [Effect] { key == .character("q") ? [.quit] : [] }
    public mutating func receive(_ message: Message, now: Double) -> [Effect] { [] }
    /// Call at least once a second: figures age, links are tried again.
    public mutating func advance(now: Double) -> [Effect] { [] }
    public func render(size: Size, glyphs: GlyphSet) -> Canvas { Canvas(size: size, glyphs: glyphs) }
}
