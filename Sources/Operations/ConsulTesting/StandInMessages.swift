internal import FoundationEssentials

/// What a registration says, its keys in any of the spellings that Consul takes (`Name`, `name`; `ServiceID`, `service_id`).
struct StandInRegistration: Decodable {
    let service: StandInStore.Service?

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: AnyKey.self)
        guard let name: String = fields.value("name"), !name.isEmpty else {
            service = nil
            return
        }
        let id: String? = fields.value("id")
        service = StandInStore.Service(
            id: id.flatMap { $0.isEmpty ? nil : $0 } ?? name, name: name, address: fields.value("address") ?? "",
            port: fields.value("port") ?? 0, tags: fields.value("tags") ?? [], meta: fields.value("meta") ?? [:],
            checks: Self.checks(fields), createIndex: 0, modifyIndex: 0, generation: 0)
    }

    /// `Check` and `Checks`; of all kinds only those over HTTP are made.
    private static func checks(_ fields: KeyedDecodingContainer<AnyKey>) -> [StandInStore.Check] {
        let one: StandInCheck? = fields.value("check")
        let many: [StandInCheck] = fields.value("checks") ?? []
        return ([one].compactMap { $0 } + many).compactMap(\.check)
    }
}

/// A check as a registration says it.
private struct StandInCheck: Decodable {
    let check: StandInStore.Check?

    init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: AnyKey.self)
        func milliseconds(_ name: String, _ usual: Int) -> Int {
            let text: String? = fields.value(name)
            return text.flatMap(StandInParameters.milliseconds) ?? usual
        }
        let url: String? = fields.value("http")
        // A check that nobody has made yet is critical, unless the registration says otherwise.
        check = url.map { url in
            StandInStore.Check(
                url: url, intervalMilliseconds: max(10, milliseconds("interval", 10_000)),
                timeoutMilliseconds: milliseconds("timeout", 10_000),
                deregisterAfterMilliseconds: milliseconds("deregistercriticalserviceafter", 0),
                status: fields.value("status") ?? "critical")
        }
    }
}

/// Any key of an object.
struct AnyKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
}

extension KeyedDecodingContainer where Key == AnyKey {
    /// The key that has this name when neither case nor underscores count.
    func key(_ name: String) -> AnyKey? {
        allKeys.first { $0.stringValue.lowercased().filter { $0 != "_" } == name }
    }

    func value<T: Decodable>(_ name: String) -> T? { key(name).flatMap { try? decode(T.self, forKey: $0) } }
}

/// A service as `/v1/agent/services` and `/v1/agent/service/:id` tell of it.
struct StandInAgentService: Encodable {
    private enum CodingKeys: String, CodingKey {
        case id = "ID"
        case name = "Service"
        case tags = "Tags"
        case meta = "Meta"
        case port = "Port"
        case address = "Address"
        case weights = "Weights"
        case override = "EnableTagOverride"
        case datacenter = "Datacenter"
    }

    let id: String
    let name: String
    let tags: [String]
    let meta: [String: String]
    let port: Int
    let address: String
    let weights = ["Passing": 1, "Warning": 1]
    let override = false
    let datacenter = "dc1"

    init(_ service: StandInStore.Service) {
        id = service.id
        name = service.name
        tags = service.tags
        meta = service.meta
        port = service.port
        address = service.address
    }
}

/// One element of `/v1/health/service/:service`.
struct StandInHealth: Encodable {
    private enum CodingKeys: String, CodingKey {
        case node = "Node"
        case service = "Service"
        case checks = "Checks"
    }

    struct Node: Encodable {
        private enum CodingKeys: String, CodingKey {
            case id = "ID"
            case node = "Node"
            case address = "Address"
            case datacenter = "Datacenter"
            case meta = "Meta"
        }

        let id = "40e4a748-2192-161a-0510-9bf59fe950b5"
        let node = "stand-in"
        let address = "127.0.0.1"
        let datacenter = "dc1"
        let meta: [String: String] = [:]
    }

    struct Check: Encodable {
        private enum CodingKeys: String, CodingKey {
            case node = "Node"
            case id = "CheckID"
            case name = "Name"
            case status = "Status"
            case notes = "Notes"
            case output = "Output"
            case serviceID = "ServiceID"
            case serviceName = "ServiceName"
            case serviceTags = "ServiceTags"
        }

        let node = "stand-in"
        let id: String
        let name: String
        let status: String
        let notes = ""
        let output: String
        let serviceID: String
        let serviceName: String
        let serviceTags: [String]
    }

    let node = Node()
    let service: StandInAgentService
    let checks: [Check]

    init(_ service: StandInStore.Service) {
        self.service = StandInAgentService(service)
        var checks = [
            Check(
                id: "serfHealth", name: "Serf Health Status", status: "passing", output: "Agent alive and reachable",
                serviceID: "", serviceName: "", serviceTags: [])
        ]
        for (number, check) in service.checks.enumerated() {
            checks.append(
                Check(
                    id: "service:" + service.id + (service.checks.count > 1 ? ":\(number + 1)" : ""),
                    name: "Service '\(service.name)' check", status: check.status,
                    output: check.output, serviceID: service.id, serviceName: service.name, serviceTags: service.tags))
        }
        self.checks = checks
    }
}

/// One element of `/v1/kv/:key`.
struct StandInEntry: Encodable {
    private enum CodingKeys: String, CodingKey {
        case lockIndex = "LockIndex"
        case key = "Key"
        case flags = "Flags"
        case value = "Value"
        case createIndex = "CreateIndex"
        case modifyIndex = "ModifyIndex"
    }

    private let key: String
    private let entry: StandInStore.Entry

    init(_ key: String, _ entry: StandInStore.Entry) {
        self.key = key
        self.entry = entry
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(0, forKey: .lockIndex)
        try container.encode(key, forKey: .key)
        try container.encode(entry.flags, forKey: .flags)
        // An empty value is null.
        if entry.value.isEmpty {
            try container.encodeNil(forKey: .value)
        } else {
            try container.encode(Data(entry.value).base64EncodedString(), forKey: .value)
        }
        try container.encode(entry.createIndex, forKey: .createIndex)
        try container.encode(entry.modifyIndex, forKey: .modifyIndex)
    }
}
