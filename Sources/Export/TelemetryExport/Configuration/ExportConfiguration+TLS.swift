internal import TLS

/// Whom connections to collectors and to Logstash trust, and who they say they are.
extension ExportConfiguration {
    /// A variable that is set.
    typealias Setting = (name: String, value: String)

    /// A file that cannot be used is warned about and left out: then the system's authorities are trusted, and no
    /// certificate is shown. Certificates and names are verified in any case.
    /// - Returns: nil when TLS cannot be had at all.
    mutating func readTLS(_ authorities: Setting?, _ certificate: Setting?, _ key: Setting?) -> TLSContext? {
        var files = TLSContext.Files()
        if let authorities {
            files.authorities = authorities.value
            if (try? TLSContext(files)) == nil {
                files.authorities = nil
                warn(authorities.name, "the path of a file with certificates in PEM form")
            }
        }
        switch (certificate, key) {
        case (nil, nil): break
        case (let certificate?, let key?):
            files.certificate = certificate.value
            files.key = key.value
            if (try? TLSContext(files)) == nil {
                (files.certificate, files.key) = (nil, nil)
                warn(
                    certificate.name,
                    "the path of a certificate in PEM form, whose key, without a passphrase, is in \(key.name)")
            }
        case (let lone?, nil), (nil, let lone?):
            warn(lone.name, "a file only together with the other one of a client's certificate and its key")
        }
        return try? TLSContext(files)
    }

    mutating func readLogstashTLS(_ settings: ExportSettings) {
        func setting(_ name: String) -> Setting? { settings[name].map { (name, $0) } }
        let isWanted: Bool
        switch settings["LOGSTASH_TLS"]?.lowercased() {
        case nil, "false": isWanted = false
        case "true": isWanted = true
        default:
            // Whoever sets it wants no plain text.
            warnings.append("LOGSTASH_TLS counts as true: it takes true or false")
            isWanted = true
        }
        let tls = readTLS(
            setting("LOGSTASH_CERTIFICATE"), setting("LOGSTASH_CLIENT_CERTIFICATE"), setting("LOGSTASH_CLIENT_KEY"))
        guard isWanted else { return }
        logstashTLS = tls
        // In the clear it must not go.
        if tls == nil { logstash = nil }
    }
}
