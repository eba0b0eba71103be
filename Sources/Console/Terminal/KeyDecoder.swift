import ConsoleKit

/// Turns the terminal's bytes into keys.
///
/// Sequences may arrive in pieces, so what is incomplete is kept until more comes or its time is up. A lone ESC is
/// the Escape key after `escapeDelay`; a sequence that has clearly begun gets longer, and is then dropped rather than
/// taken for keys: on a slow link the rest of a terminal's answer must not press anything.
struct KeyDecoder {
    enum Input: Hashable {
        case key(Key)
        /// The answer to `ESC[5n`.
        case terminalAnswer
    }

    /// How long the rest of a sequence or of a character may take, in seconds.
    static let sequencePatience = 1.0
    /// How long the next bytes of a paste may take, in seconds.
    static let pastePatience = 5.0
    /// Bytes of one paste that are kept; the rest is dropped.
    static let longestPaste = 65_536
    /// Longest control sequence; a longer one is dropped.
    static let longestSequence = 256

    private let capabilities: [[UInt8]: Key]
    private let escapeDelay: Double
    private var pending: [UInt8] = []
    private var waitsSince = 0.0
    private var patience = 0.0
    private var paste: [UInt8]?

    /// - Parameters:
    ///   - capabilities: what the terminal's description says that keys send, for terminals unlike xterm.
    ///   - escapeDelay: seconds after which a lone ESC is the Escape key.
    init(capabilities: [[UInt8]: Key] = [:], escapeDelay: Double = 0.05) {
        self.capabilities = capabilities.filter { $0.key.count > 1 && $0.key.first == 0x1B }
        self.escapeDelay = escapeDelay
    }

    /// When `expire` has something to decide.
    var deadline: Double? {
        if paste != nil { return waitsSince + Self.pastePatience }
        return pending.isEmpty ? nil : waitsSince + patience
    }

    mutating func feed(_ bytes: some Sequence<UInt8>, now: Double) -> [Input] {
        pending.append(contentsOf: bytes)
        waitsSince = now
        var inputs: [Input] = []
        var at = 0
        decoding: while at < pending.count {
            if paste != nil {
                guard let next = takePaste(at, &inputs) else { break }
                at = next
                continue
            }
            switch step(pending[at...]) {
            case .took(let count, let input):
                at += count
                if let input { inputs.append(input) }
            case .pasteBegins(let count):
                at += count
                paste = []
            case .needsMore(let patience):
                self.patience = patience
                break decoding
            }
        }
        pending.removeFirst(at)
        return inputs
    }

    /// Gives up waiting for the rest of what is incomplete.
    mutating func expire(now: Double) -> [Input] {
        guard let deadline, now >= deadline else { return [] }
        // A paste whose end got lost must not swallow every later key; half of it is worth nothing.
        let isLoneEscape = paste == nil && pending == [0x1B]
        pending = []
        paste = nil
        return isLoneEscape ? [.key(.escape)] : []
    }

    private enum Step {
        case took(Int, Input?)
        case pasteBegins(Int)
        case needsMore(patience: Double)
    }

    private func step(_ bytes: ArraySlice<UInt8>) -> Step {
        guard let first = bytes.first else { return .needsMore(patience: Self.sequencePatience) }
        switch first {
        case 0x1B: return escapeSequence(bytes)
        case 0x0D, 0x0A: return .took(1, .key(.enter))
        case 0x09: return .took(1, .key(.tab))
        case 0x08, 0x7F: return .took(1, .key(.backspace))
        case 0x01...0x1A: return .took(1, .key(.ctrl(Character(Unicode.Scalar(first + 0x60)))))
        case 0x00...0x1F: return .took(1, nil)
        case 0x20..<0x7F: return .took(1, .key(.character(Character(Unicode.Scalar(first)))))
        default: return character(bytes)
        }
    }

    /// A character of several bytes in UTF-8 (RFC 3629); anything else is dropped byte by byte.
    private func character(_ bytes: ArraySlice<UInt8>) -> Step {
        let length =
            switch bytes[bytes.startIndex] {
            case 0xC2...0xDF: 2
            case 0xE0...0xEF: 3
            case 0xF0...0xF4: 4
            default: 1
            }
        guard length > 1 else { return .took(1, nil) }
        let available = bytes.prefix(length)
        guard available.dropFirst().allSatisfy({ $0 & 0xC0 == 0x80 }) else { return .took(1, nil) }
        guard available.count == length else { return .needsMore(patience: Self.sequencePatience) }
        guard let text = String(validating: available, as: UTF8.self), let character = text.first,
            let scalar = text.unicodeScalars.first, scalar.properties.generalCategory != .control
        else { return .took(length, nil) }
        return .took(length, .key(.character(character)))
    }

    private func escapeSequence(_ bytes: ArraySlice<UInt8>) -> Step {
        for (sequence, key) in capabilities where bytes.starts(with: sequence) {
            return .took(sequence.count, .key(key))
        }
        guard bytes.count > 1 else { return .needsMore(patience: escapeDelay) }
        switch bytes[bytes.startIndex + 1] {
        case UInt8(ascii: "["): return controlSequence(bytes)
        case UInt8(ascii: "O"):
            guard bytes.count > 2 else { return .needsMore(patience: escapeDelay) }
            return .took(3, KeyTable.singleShift(bytes[bytes.startIndex + 2]).map(Input.key))
        case UInt8(ascii: "P"), UInt8(ascii: "]"): return terminalString(bytes)
        default:
            if capabilities.keys.contains(where: { $0.starts(with: bytes) }) {
                return .needsMore(patience: escapeDelay)
            }
            // Escape and then a key: over a slow link both come in one piece.
            return .took(1, .key(.escape))
        }
    }

    /// `ESC [` parameters, intermediates and a final byte (ECMA-48, 5.4).
    private func controlSequence(_ bytes: ArraySlice<UInt8>) -> Step {
        let body = bytes.dropFirst(2)
        // The Linux console sends `ESC [ [ A` for F1.
        if body.first == UInt8(ascii: "[") {
            guard let letter = body.dropFirst().first else { return .needsMore(patience: Self.sequencePatience) }
            let number = Int(letter) - 0x40
            return .took(4, (1...5).contains(number) ? .key(.function(number)) : nil)
        }
        guard let end = body.firstIndex(where: { !(0x20...0x3F).contains($0) }) else {
            return body.count > Self.longestSequence
                ? .took(bytes.count, nil) : .needsMore(patience: Self.sequencePatience)
        }
        let count = end - bytes.startIndex + 1
        let parameters = body[body.startIndex..<end]
        // A control byte ends a broken sequence and is then read for itself.
        guard (0x40...0x7E).contains(bytes[end]) else { return .took(count - 1, nil) }
        if bytes[end] == UInt8(ascii: "n"), parameters.elementsEqual("0".utf8) { return .took(count, .terminalAnswer) }
        if bytes[end] == UInt8(ascii: "~"), parameters.elementsEqual("200".utf8) { return .pasteBegins(count) }
        return .took(count, KeyTable.control(final: bytes[end], parameters: parameters).map(Input.key))
    }

    /// What a terminal answers in strings (DCS and OSC): skipped up to its terminator.
    private func terminalString(_ bytes: ArraySlice<UInt8>) -> Step {
        let body = bytes.dropFirst(2)
        for index in body.indices {
            if body[index] == 0x07 { return .took(index - bytes.startIndex + 1, nil) }
            if body[index] == 0x1B, index + 1 < body.endIndex {
                let isEnd = body[index + 1] == UInt8(ascii: "\\")
                return .took(index - bytes.startIndex + (isEnd ? 2 : 0), nil)
            }
        }
        return bytes.count > Self.longestSequence
            ? .took(bytes.count, nil) : .needsMore(patience: Self.sequencePatience)
    }

    private static let pasteEnd = Array("\u{1B}[201~".utf8)

    /// Collects a paste.
    /// - Returns: where to read on; `nil` when more must come.
    private mutating func takePaste(_ start: Int, _ inputs: inout [Input]) -> Int? {
        let rest = pending[start...]
        var at = rest.startIndex
        while let escape = rest[at...].firstIndex(of: 0x1B) {
            keepPasted(rest[at..<escape])
            let tail = rest[escape...]
            if tail.starts(with: Self.pasteEnd) {
                inputs.append(.key(.paste(String(decoding: paste ?? [], as: UTF8.self))))
                paste = nil
                return escape + Self.pasteEnd.count
            }
            if Self.pasteEnd.starts(with: tail) {
                pending.removeSubrange(start..<escape)
                patience = Self.sequencePatience
                return nil
            }
            at = escape + 1
        }
        keepPasted(rest[at...])
        return pending.count
    }

    private mutating func keepPasted(_ bytes: ArraySlice<UInt8>) {
        guard let kept = paste?.count else { return }
        paste?.append(contentsOf: bytes.prefix(max(0, Self.longestPaste - kept)))
    }
}
