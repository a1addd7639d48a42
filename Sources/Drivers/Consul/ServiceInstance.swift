/// One healthy instance of a service, as Consul knows it.
package struct ServiceInstance: Sendable, Hashable {
    package let id: String
    package let service: String
    /// An IP address or a name.
    package let address: String
    package let port: Int
    package let tags: [String]
    package let meta: [String: String]

    package init(
        id: String, service: String, address: String, port: Int, tags: [String] = [], meta: [String: String] = [:]
    ) {
        self.id = id
        self.service = service
        self.address = address
        self.port = port
        self.tags = tags
        self.meta = meta
    }

    /// `http://address:port`.
    package var url: String { "http://\(address.contains(":") ? "[\(address)]" : address):\(port)" }
}

/// One element of `GET /v1/health/service/:service`.
struct HealthEntry: Decodable {
    struct Node: Decodable {
        let address: String?
        enum CodingKeys: String, CodingKey { case address = "Address" }
    }

    struct Service: Decodable {
        let id: String
        let name: String
        let address: String?
        let port: Int
        let tags: [String]?
        let meta: [String: String]?

        enum CodingKeys: String, CodingKey {
            case id = "ID"
            case name = "Service"
            case address = "Address"
            case port = "Port"
            case tags = "Tags"
            case meta = "Meta"
        }
    }

    let node: Node?
    let service: Service

    enum CodingKeys: String, CodingKey {
        case node = "Node"
        case service = "Service"
    }

    /// Nil when nobody could be reached there. An instance without an address is at its agent's.
    var instance: ServiceInstance? {
        let own = service.address ?? ""
        let address = own.isEmpty ? node?.address ?? "" : own
        guard !address.isEmpty, address.utf8.count <= 255, (1...65_535).contains(service.port),
            address.utf8.allSatisfy(Self.isAddressByte)
        else { return nil }
        return ServiceInstance(
            id: service.id, service: service.name, address: address, port: service.port, tags: service.tags ?? [],
            meta: service.meta ?? [:])
    }

    private static func isAddressByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: ":"):
            true
        default: false
        }
    }
}
