internal import Glibc
package import Telemetry

/// The version of this SDK, as `telemetry.sdk.version` and the User-Agent name it.
package enum SDKVersion {
    /// Semantic version.
    package static let current = "0.1.0"
}

extension ServiceResource {
    /// The resource of a service of this process, by the OpenTelemetry semantic conventions.
    /// - Parameter overrides: `OTEL_RESOURCE_ATTRIBUTES`; they win, but for `service.name`, which is the argument's.
    package static func standard(
        serviceName: String, version: String = SDKVersion.current, overrides: [(String, String)] = []
    ) -> ServiceResource {
        var attributes: [(String, AttributeValue)] = [
            ("service.namespace", "vitrine"),
            ("service.instance.id", .string(Propagation.makeRequestID())),
            ("service.version", .string(version)),
            ("telemetry.sdk.name", "vitrine"),
            ("telemetry.sdk.language", "swift"),
            ("telemetry.sdk.version", .string(SDKVersion.current)),
            ("process.pid", .int(Int(getpid()))),
            ("host.name", .string(hostName())),
        ]
        for (key, value) in overrides where key != "service.name" {
            attributes.removeAll { $0.0 == key }
            attributes.append((key, .string(value)))
        }
        return ServiceResource(
            name: serviceName, attributes: attributes.map { Attribute(AttributeKey($0.0), $0.1) })
    }

    private static func hostName() -> String {
        let capacity = 256
        let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            buffer.initialize(repeating: 0)
            let result = buffer.withMemoryRebound(to: CChar.self) { name in
                name.baseAddress.map { gethostname($0, capacity - 1) } ?? -1
            }
            count = result == 0 ? buffer.firstIndex(of: 0) ?? 0 : 0
        }
        return bytes.isEmpty ? "unknown" : String(decoding: bytes, as: UTF8.self)
    }
}
