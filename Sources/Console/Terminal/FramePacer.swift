/// Decides when the next frame may be sent to the terminal.
///
/// On a pseudo-terminal neither POLLOUT nor the queue's length says what has reached the far end of a slow link: tens
/// of kilobytes vanish into buffers, and a key pressed then is answered seconds later. So every frame ends in a
/// question that each terminal answers by itself (`ESC[5n`, answered by `ESC[0n`), and no frame follows before the
/// answer. Terminals that never answer are found out within two seconds and get timed frames.
///
/// Times are seconds on a clock that only moves forward.
struct FramePacer {
    enum Pace: Equatable {
        /// No answer yet: the first frame may go, the next must wait.
        case probing
        /// The terminal answers; a frame goes out only when the one before it has arrived.
        case acknowledged
        /// The terminal does not answer; frames are spaced by time.
        case timed
    }

    /// Least time between two frames on a terminal that does not answer.
    static let timedSpacing = 0.25
    /// When an unanswered first question is asked again, and when it is given up (twice this).
    static let patience = 1.0
    /// After this long without an answer, one frame goes anyway: an answer can get lost.
    static let longestWait = 10.0

    private(set) var pace = Pace.probing
    /// The link's delay as last measured; `nil` before the first answer and on terminals that do not answer.
    private(set) var roundTrip: Double?
    /// When the questions that are still open were asked, oldest first.
    private(set) var asked: [Double] = []
    private var firstAsked: Double?
    private var hasRepeated = false
    private var lastFrame = -Double.infinity

    /// A question was sent without a frame: ahead of the first one, or because `wantsQuestion` said so.
    mutating func didAsk(now: Double) {
        if firstAsked == nil { firstAsked = now } else { hasRepeated = true }
        asked.append(now)
    }

    /// A frame was sent, with its question at the end.
    mutating func didSendFrame(now: Double) {
        if pace == .acknowledged, let oldest = asked.first, now - oldest >= Self.longestWait { asked = [] }
        if firstAsked == nil { firstAsked = now }
        lastFrame = now
        if pace != .timed { asked.append(now) }
    }

    /// The terminal has answered.
    mutating func didReceiveAnswer(now: Double) {
        pace = .acknowledged
        guard !asked.isEmpty else { return }
        roundTrip = now - asked.removeFirst()
    }

    /// Time has passed.
    /// - Returns: whether a question is to be sent by itself now.
    mutating func advance(now: Double) -> Bool {
        guard pace == .probing, let firstAsked else { return false }
        if now - firstAsked >= 2 * Self.patience {
            pace = .timed
            asked = []
            return false
        }
        return !hasRepeated && now - firstAsked >= Self.patience
    }

    func maySend(now: Double) -> Bool { earliestFrame <= now }

    /// When the next frame may go if no answer comes before that.
    var earliestFrame: Double {
        switch pace {
        case .probing: lastFrame == -.infinity ? lastFrame : .infinity
        case .acknowledged: asked.first.map { $0 + Self.longestWait } ?? -.infinity
        case .timed: lastFrame + Self.timedSpacing
        }
    }

    /// When `advance` has something to decide.
    var deadline: Double? {
        guard pace == .probing, let firstAsked else { return nil }
        return firstAsked + (hasRepeated ? 2 : 1) * Self.patience
    }
}
