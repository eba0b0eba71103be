import EdgeCore

extension ExchangeView {
    /// Makes the answer that sends a client to the same place over HTTPS at this port.
    func redirect(to port: UInt16) {
        var location = "https://" + request.text(request.host)
        if port != 443 { location += ":\(port)" }
        let target = request.text(request.target)
        location += target == "*" ? "/" : target
        response.reset()
        // 308 keeps method and body; clients older than it know 301 for what carries none.
        response.status = request.isSafe ? 301 : 308
        response.append("location", location)
    }
}
