public import Foundation
public import Shared
import Synchronization

/// The latest facts for operators, and who is told of new ones. Any room's thread may record.
///
/// The log keeps 1,000 events in memory; it is no archive. Listeners are called in the order of the events' numbers,
/// while the log is locked, so they must only pass the event on and must not record.
public final class EventLog: Sendable {
    public typealias Listener = @Sendable (EventRecord) -> Void

    /// How many events are kept.
    public static let capacity = 1_000

    private struct State {
        var ring: [EventRecord] = []
        var next = 0
        var lastID: UInt64 = 0
        var listeners: [UInt64: Listener] = [:]
        var lastListener: UInt64 = 0
    }

    private let state = Mutex(State())
    private let wall: @Sendable () -> Date

    /// - Parameter wall: the time of day, for display.
    public init(wall: @escaping @Sendable () -> Date) { self.wall = wall }

    /// Adds an event and tells every listener. All text is cleaned of control characters and cut: 500 characters
    /// of text, 100 of kind and object.
    @discardableResult
    public func record(
        _ severity: EventRecord.Severity, kind: String, object: String = "", text: String
    ) -> EventRecord {
        let at = DisplayTime.text(wall())
        let kind = DisplayText.clean(kind, limit: 100)
        let object = DisplayText.clean(object, limit: 100)
        let text = DisplayText.clean(text)
        return state.withLock { state in
            state.lastID += 1
            let event = EventRecord(
                id: state.lastID, at: at, severity: severity, kind: kind, object: object, text: text)
            if state.ring.count < EventLog.capacity {
                state.ring.append(event)
            } else {
                state.ring[state.next] = event
                state.next = (state.next + 1) % EventLog.capacity
            }
            for listener in state.listeners.values { listener(event) }
            return event
        }
    }

    /// The latest events, oldest first.
    /// - Parameter limit: 0…1000.
    public func recent(_ limit: Int) -> [EventRecord] {
        state.withLock { state in
            Array((state.ring[state.next...] + state.ring[..<state.next]).suffix(max(0, limit)))
        }
    }

    /// Calls `listener` with every event from now on.
    /// - Returns: a number for `unsubscribe`.
    public func subscribe(_ listener: @escaping Listener) -> UInt64 {
        state.withLock { state in
            state.lastListener += 1
            state.listeners[state.lastListener] = listener
            return state.lastListener
        }
    }

    public func unsubscribe(_ number: UInt64) {
        state.withLock { state in _ = state.listeners.removeValue(forKey: number) }
    }
}
