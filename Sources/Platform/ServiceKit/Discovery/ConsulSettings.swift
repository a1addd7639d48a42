internal import Configuration
internal import Consul
internal import TLS
internal import Telemetry

/// Where Consul is, and how services appear there. Its standard variables are read (`CONSUL_HTTP_ADDR` and others), so that
/// what its own tools understand is understood here.
struct ConsulSettings: Sendable {
    let client: ConsulConfiguration
    /// `CONSUL_CHECK_INTERVAL_SECONDS`: how often Consul asks a service whether it is ready, and the service Consul whether
    /// it is still registered; 5.
    let checkIntervalSeconds: Int
    /// `CONSUL_LEAVE_MS`: how long a service that is no longer registered still takes requests, until all callers have heard
    /// of it; 1,000.
    let leaveMilliseconds: Int

    /// - Returns: nil without `CONSUL_HTTP_ADDR`.
    init?(_ reader: ConfigurationReader) {
        guard let address = reader.optionalString("CONSUL_HTTP_ADDR") else { return nil }
        let isEncrypted = reader.bool("CONSUL_HTTP_SSL", default: false)
        guard let url = ConsulConfiguration.url(of: address, isEncrypted: isEncrypted) else {
            reader.report("CONSUL_HTTP_ADDR is '\(address)': expected host:port, or http:// or https:// before it")
            return nil
        }
        var client = ConsulConfiguration(url: url)
        client.token = reader.optionalString("CONSUL_HTTP_TOKEN").map { Sensitive($0) }
        client.datacenter = reader.optionalString("CONSUL_DATACENTER")
        client.waitSeconds = reader.int("CONSUL_WAIT_SECONDS", default: client.waitSeconds, in: 1...600)
        if url.hasPrefix("https") { client.tls = Self.tls(reader) }
        self.client = client
        checkIntervalSeconds = reader.int("CONSUL_CHECK_INTERVAL_SECONDS", default: 5, in: 1...300)
        leaveMilliseconds = reader.int("CONSUL_LEAVE_MS", default: 1_000, in: 0...60_000)
    }

    private static func tls(_ reader: ConfigurationReader) -> TLSContext? {
        let files = TLSContext.Files(
            authorities: reader.optionalString("CONSUL_CACERT"),
            certificate: reader.optionalString("CONSUL_CLIENT_CERT"), key: reader.optionalString("CONSUL_CLIENT_KEY"))
        do { return try TLSContext(files) } catch {
            reader.report("CONSUL_CACERT, CONSUL_CLIENT_CERT or CONSUL_CLIENT_KEY cannot be used: \(error)")
            return nil
        }
    }
}
