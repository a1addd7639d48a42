/// What a service tells the agent of itself (`PUT /v1/agent/service/register`).
package struct ServiceRegistration: Sendable, Hashable {
    /// How Consul finds out whether the instance works: it asks the service itself, over HTTP. A heartbeat (TTL) would only
    /// say that a timer still runs; this asks on the way that callers take, and costs the service no timer.
    package struct Check: Sendable, Hashable {
        /// What is asked with GET: 2xx passes, 429 warns, all else is critical.
        package var url: String
        package var intervalSeconds = 5
        package var timeoutSeconds = 2
        /// Who is critical for so long is forgotten; Consul takes a minute at least.
        package var deregisterAfterSeconds = 60
        package init(url: String) { self.url = url }
    }

    /// Of this instance, unique on its agent; the same after a restart, so that it takes its own place again.
    package var id: String
    package var name: String
    package var address: String
    package var port: Int
    package var tags: [String] = []
    package var meta: [String: String] = [:]
    package var check: Check?

    package init(id: String, name: String, address: String, port: Int, check: Check? = nil) {
        self.id = id
        self.name = name
        self.address = address
        self.port = port
        self.check = check
    }
}

extension ServiceRegistration: Encodable {
    private enum CodingKeys: String, CodingKey {
        case id = "ID"
        case name = "Name"
        case address = "Address"
        case port = "Port"
        case tags = "Tags"
        case meta = "Meta"
        case check = "Check"
    }
}

extension ServiceRegistration.Check: Encodable {
    private enum Key: String, CodingKey {
        case url = "HTTP"
        case method = "Method"
        case interval = "Interval"
        case timeout = "Timeout"
        case status = "Status"
        case deregisterAfter = "DeregisterCriticalServiceAfter"
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(url, forKey: .url)
        try container.encode("GET", forKey: .method)
        try container.encode("\(intervalSeconds)s", forKey: .interval)
        try container.encode("\(timeoutSeconds)s", forKey: .timeout)
        // Whoever registers is ready: requests may come before the first check.
        try container.encode("passing", forKey: .status)
        try container.encode("\(deregisterAfterSeconds)s", forKey: .deregisterAfter)
    }
}
