import EdgeCore

enum HTTP1Scanner {
    /// Reads one request head from the start of `bytes` and puts its parts into `head` (which it resets).
    ///
    /// - Parameter scanned: how many bytes the last call saw, when it answered `incomplete`: only new line ends are
    ///   then worth another look. 0 on the first call for a head.
    static func request(
        _ bytes: UnsafeBufferPointer<UInt8>, limits: HeadLimits = HeadLimits(), scanned: Int = 0,
        into head: MessageHead
    ) -> RequestScan {
        fatalError("to come")
    }

    static func response(
        _ bytes: UnsafeBufferPointer<UInt8>, requestWasHead: Bool, limits: HeadLimits = HeadLimits(),
        scanned: Int = 0, into head: MessageHead
    ) -> ResponseScan {
        fatalError("to come")
    }
}
