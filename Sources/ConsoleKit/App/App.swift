import Shared

/// The console as a value: keys and messages in, effects and a canvas out. It reads no clock and touches nothing.
///
/// Not one write leaves it while the operator may only look: `send` is the one place where requests go out.
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

    /// What an answer is waited for.
    enum Pending: Sendable {
        case listing
        case plan(PlanRun, returning: (any Overlay)?)
        case weights(WeightPlanner.Target, WeightEdit)
    }

    var model = ConsoleModel()
    var screens = ScreenList.make()
    var current = ScreenID.overview
    /// The edge that is looked into; shown in place of the list of edges.
    var detail: EdgeScreen?
    var overlays: [any Overlay] = []
    /// The filter while it is being typed.
    var filterField: TextField?
    var pending: [RequestTag: Pending] = [:]
    var nextTag: UInt64 = 1
    var themes: [String]
    var theme: String
    var recent: [String] = []
    /// When the stream is tried again, and how long to wait after that.
    var retryAt: Double?
    var retryDelay = 1.0
    /// A weight edit that must be compared with the next listing: refused by its revision, or answered by nobody.
    var unsettled: (target: WeightPlanner.Target, edit: WeightEdit, refused: Bool)?
    /// The listing is wanted again as soon as the one under way is here.
    var wantsListing = false

    public init(options: Options = Options()) {
        themes = options.themes.isEmpty ? ["plain"] : options.themes
        theme = themes[0]
        model.readOnlyOption = options.readOnly
        model.address = options.address
        current = ScreenID.allCases.first { $0.title.lowercased() == options.screen.lowercased() } ?? .overview
    }

    /// The first effects: call once.
    public mutating func start(now: Double) -> [Effect] {
        model.now = now
        return [.openStream] + requestListing()
    }

    /// - Parameter now: seconds on a clock that only moves forward.
    public mutating func handle(_ key: Key, now: Double) -> [Effect] {
        advanceClock(now)
        let effects = handle(key)
        return Self.isHarmless(effects, model) ? effects : effects.filter { !$0.isWrite }
    }

    /// Takes in what the program was told.
    public mutating func receive(_ message: Message, now: Double) -> [Effect] {
        advanceClock(now)
        return receive(message)
    }

    /// Call at least once a second: figures age, links are tried again.
    public mutating func advance(now: Double) -> [Effect] {
        advanceClock(now)
        guard let retryAt, model.now >= retryAt else { return [] }
        self.retryAt = nil
        return [.openStream] + requestListing()
    }

    /// The screen at a size.
    public func render(size: Size, glyphs: GlyphSet) -> Canvas { draw(size: size, glyphs: glyphs) }

    // MARK: Parts

    private mutating func advanceClock(_ now: Double) {
        model.now = max(model.now, now)
        if let notice = model.notice, notice.until <= model.now { model.notice = nil }
    }

    private static func isHarmless(_ effects: [Effect], _ model: ConsoleModel) -> Bool {
        model.role >= .operator || !effects.contains(where: \.isWrite)
    }

    var screen: any Screen {
        get { current == .edges ? detail ?? screens[.edges] ?? EdgesScreen() : screens[current] ?? OverviewScreen() }
        set {
            if current == .edges, let edge = newValue as? EdgeScreen {
                detail = edge
            } else {
                screens[current] = newValue
            }
        }
    }

    /// Sends a request, unless it would change something and the role does not allow that.
    mutating func send(_ request: APIRequest, _ purpose: Pending) -> [Effect] {
        if request.isWrite, let refusal = model.refusal() {
            model.say(refusal, .warn)
            return [.bell]
        }
        let tag = RequestTag(number: nextTag)
        nextTag += 1
        pending[tag] = purpose
        return [.send(request, tag)]
    }

    var isListingUnderWay: Bool { pending.values.contains { if case .listing = $0 { true } else { false } } }

    /// Asks for the configuration; one that is under way is followed by another, because it may be older than what
    /// has just been written.
    mutating func requestListing() -> [Effect] {
        guard !isListingUnderWay else {
            wantsListing = true
            return []
        }
        wantsListing = false
        return send(APIRequest("GET", AdminPaths.configuration), .listing)
    }
}

extension Effect {
    /// A request that changes something.
    var isWrite: Bool { if case .send(let request, _) = self { request.isWrite } else { false } }
}
