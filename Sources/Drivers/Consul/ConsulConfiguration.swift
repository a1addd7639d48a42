package import TLS
package import Telemetry

/// Where Consul's HTTP API is, and how it is asked.
package struct ConsulConfiguration: Sendable {
    /// `http://host:port` of an agent, or `https`.
    package var url: String
    /// What `X-Consul-Token` says; nil where access control is off.
    package var token: Sensitive<String>?
    /// Nil: that of the agent.
    package var datacenter: String?
    /// For requests that do not wait for a change.
    package var requestTimeoutMilliseconds = 5_000
    /// How long a blocking query waits for a change, 1 to 600: a peer that vanished without a word is noticed a little
    /// later.
    package var waitSeconds = 60
    /// For `https`.
    package var tls: TLSContext?

    package init(url: String) { self.url = url }

    /// The URL that an address stands for as `CONSUL_HTTP_ADDR` gives it: `host:port`, or with `http://` or `https://`.
    /// - Returns: nil for what is neither, such as a socket of the file system.
    package static func url(of address: String, isEncrypted: Bool) -> String? {
        let scheme = isEncrypted ? "https://" : "http://"
        guard let mark = address.range(of: "://") else { return address.isEmpty ? nil : scheme + address }
        let given = address[..<mark.upperBound].lowercased()
        guard given == "http://" || given == "https://" else { return nil }
        return (isEncrypted ? "https://" : given) + address[mark.upperBound...]
    }
}

extension String {
    /// The first place of a text in this one.
    fileprivate func range(of text: String) -> Range<String.Index>? { ranges(of: text).first }
}
