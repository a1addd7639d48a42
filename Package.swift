// swift-tools-version: 6.2
import PackageDescription

// One executable on many small targets. The folders of `Sources/` are the layers, in the order of `layers`
// below; a target may depend only on targets of its own layer or of one above it. The check at the end of
// this file refuses anything else, so a wrong dependency never builds.

/// Settings of every Swift target.
/// - `ExistentialAny` (SE-0335), `MemberImportVisibility` (SE-0444), `InternalImportsByDefault` (SE-0409),
///   `NonisolatedNonsendingByDefault` (SE-0461), `ImmutableWeakCaptures` (SE-0481).
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("ImmutableWeakCaptures"),
    .treatAllWarnings(as: .error),
]

/// For targets whose functions others call on every request. The compiler keeps the bodies of `package` functions to
/// itself, even of `@inlinable` ones and with cross-module optimization on: without this option a counter increment or
/// one appended byte is a call, and a literal of attributes lives on the heap (Swift 6.3).
let inlinedElsewhere: [SwiftSetting] = [
    .unsafeFlags(["-Xllvm", "-sil-cross-module-serialize-all"], .when(configuration: .release))
]

/// For targets whose objects are confined to one event loop and change on every request: a release build does not ask the
/// runtime, thirty times a request, whether two accesses to one property overlap (SE-0176). Debug builds ask, and the
/// tests run in those.
let unchecked: [SwiftSetting] = [
    .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release))
]

/// A Debian library, found through pkg-config.
func system(_ name: String, pkgConfig: String? = nil, apt: String) -> Target {
    .systemLibrary(
        name: name, path: "Sources/System/\(name)", pkgConfig: pkgConfig, providers: [.apt([apt])])
}

/// One target of the given layer.
/// - Parameters: isInlined: its functions may be inlined into other targets.
///   - isUnchecked: accesses are checked in debug builds only.
func module(
    _ layer: String, _ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = [],
    isInlined: Bool = false, isUnchecked: Bool = false
) -> Target {
    .target(
        name: name, dependencies: dependencies, path: "Sources/\(layer)/\(name)", resources: resources,
        swiftSettings: settings + (isInlined ? inlinedElsewhere : []) + (isUnchecked ? unchecked : []))
}

/// What a service may use: the platform and the contracts that it shares with others.
/// - Parameter hasMigrations: its `.sql` files are embedded in the binary.
func service(_ name: String, contracts: [Target.Dependency] = [], hasMigrations: Bool = false) -> Target {
    module(
        "Services", name,
        [
            "Telemetry", "EventLoop", "HTTPCodec", "HTTP", "PostgreSQL", "Redis", "Values", "Configuration",
            "Resilience", "Security", "Locks", "Tasks", "ServiceKit",
        ] + contracts, resources: hasMigrations ? [.embedInCode("Storage/Migrations")] : [])
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .testTarget(
        name: name, dependencies: dependencies, path: "Tests/\(name)",
        exclude: name == "IntegrationTests" ? ["decode_spans.py"] : [], resources: resources, swiftSettings: settings)
}

/// Services of models and rules alone, each with its own tests in `Tests/<Name>Tests`; 'vitrine new service' adds to them.
var modelServices: [String] = []

let services: [String] =
    [
        "Gateway", "Users", "Catalog", "Cart", "Orders", "Warehouse", "Payments", "Processor", "Notifications",
        "Purchase",
    ] + modelServices
let contracts: [String] = [
    "CatalogContracts", "CartContracts", "OrdersContracts", "WarehouseContracts", "PaymentsContracts",
    "ProcessorContracts", "UsersContracts", "PurchaseContracts",
]
let allContracts: [Target.Dependency] = contracts.map { .init(stringLiteral: $0) }

let package = Package(
    name: "vitrine",
    products: [.executable(name: "vitrine", targets: ["vitrine"])],
    targets: [
        system("CLibUV", pkgConfig: "libuv", apt: "libuv1-dev"),
        system("CLibPQ", pkgConfig: "libpq", apt: "libpq-dev"),
        system("CHiredis", apt: "libhiredis-dev"),
        system("CLibRabbitMQ", pkgConfig: "librabbitmq", apt: "librabbitmq-dev"),
        system("CLibCurl", pkgConfig: "libcurl", apt: "libcurl4-openssl-dev"),
        system("COpenSSL", pkgConfig: "openssl", apt: "libssl-dev"),
        system("CZlib", pkgConfig: "zlib", apt: "zlib1g-dev"),
        system("CCrypt", apt: "libcrypt-dev"),
        system("CMalloc", apt: "libc6-dev"),
        .target(name: "CThread", path: "Sources/System/CThread"),

        module("Telemetry", "Telemetry", ["CThread"], isInlined: true),
        module("Telemetry", "TelemetrySDK", ["Telemetry", "CMalloc", "CZlib"]),
        module("Telemetry", "TelemetryTesting", ["Telemetry", "TelemetrySDK"]),

        module("Transport", "EventLoop", ["CLibUV", "CThread", "Telemetry"], isUnchecked: true),
        module("Transport", "HTTPCodec"),
        module("Transport", "TLS", ["COpenSSL", "EventLoop"]),
        module("Transport", "HTTP", ["EventLoop", "HTTPCodec", "Telemetry", "TLS"], isUnchecked: true),

        module(
            "Export", "TelemetryExport",
            ["Telemetry", "TelemetrySDK", "EventLoop", "HTTPCodec", "HTTP", "TLS", "CThread"]),

        module("Drivers", "ConnectionPool"),
        module("Drivers", "PostgreSQL", ["CLibPQ", "EventLoop", "Telemetry", "ConnectionPool"]),
        module("Drivers", "Redis", ["CHiredis", "EventLoop", "Telemetry"]),
        module("Drivers", "AMQP", ["CLibRabbitMQ", "CThread", "EventLoop", "Telemetry"]),
        module("Drivers", "Mail", ["CLibCurl", "EventLoop", "Telemetry"]),
        module("Drivers", "Consul", ["EventLoop", "HTTPCodec", "HTTP", "TLS", "Telemetry"]),

        module("Platform", "Values"),
        module("Platform", "Configuration"),
        module("Platform", "Resilience", ["Telemetry", "Values"]),
        module("Platform", "Security", ["COpenSSL", "CCrypt", "EventLoop", "Values"]),
        module("Platform", "Locks", ["PostgreSQL", "Redis", "Values"]),
        module("Platform", "Caching", ["Telemetry", "Redis", "Resilience"]),
        module(
            "Platform", "Tasks",
            ["Telemetry", "EventLoop", "PostgreSQL", "Redis", "Values", "Resilience", "Security", "Locks"]),
        module(
            "Platform", "ServiceKit",
            [
                "Telemetry", "TelemetrySDK", "TelemetryExport", "EventLoop", "HTTPCodec", "HTTP", "PostgreSQL", "Redis",
                "AMQP", "Consul", "TLS", "Values", "Configuration", "Resilience", "Security", "Locks", "Tasks",
                "Caching",
            ], resources: [.embedInCode("OpenAPI/Documentation")]),

        module(
            "Platform", "Models",
            [
                "Telemetry", "HTTPCodec", "HTTP", "PostgreSQL", "Values", "Resilience", "Security", "Tasks",
                "ServiceKit",
            ]),

        module("Contracts", "CatalogContracts", ["Values", "ServiceKit"]),
        module("Contracts", "CartContracts", ["Values", "ServiceKit"]),
        module("Contracts", "OrdersContracts", ["Values", "ServiceKit"]),
        module("Contracts", "WarehouseContracts", ["Values", "ServiceKit"]),
        module("Contracts", "PaymentsContracts", ["Values", "ServiceKit"]),
        module("Contracts", "ProcessorContracts", ["Values", "ServiceKit"]),
        module("Contracts", "UsersContracts", ["Values", "ServiceKit"]),
        module("Contracts", "PurchaseContracts", ["ServiceKit"]),

        service("Gateway"),
        service(
            "Users",
            contracts: [
                "UsersContracts", "CartContracts", "OrdersContracts", "PaymentsContracts", "ProcessorContracts",
                "Models",
            ],
            hasMigrations: true),
        service("Catalog", contracts: ["CatalogContracts", "Caching"], hasMigrations: true),
        service("Cart", contracts: ["CartContracts", "CatalogContracts", "OrdersContracts", "WarehouseContracts"]),
        service("Orders", contracts: allContracts, hasMigrations: true),
        service("Warehouse", contracts: allContracts + ["Models"], hasMigrations: true),
        service("Payments", contracts: allContracts, hasMigrations: true),
        service("Processor", contracts: allContracts, hasMigrations: true),
        service("Purchase", contracts: ["Models", "PurchaseContracts", "UsersContracts"], hasMigrations: true),
        module(
            "Services", "Notifications",
            [
                "Telemetry", "EventLoop", "HTTPCodec", "HTTP", "PostgreSQL", "Values", "Configuration", "Security",
                "ServiceKit", "Mail",
            ] + allContracts, resources: [.embedInCode("Storage/Migrations")]),

        // The one list of all services, for the executable and for what watches them.
        module("Operations", "Wiring", ["ServiceKit"] + services.map { .init(stringLiteral: $0) }),
        module(
            "Operations", "Observability",
            ["Telemetry", "HTTP", "PostgreSQL", "Redis", "AMQP", "Consul", "Mail", "Tasks", "Caching", "ServiceKit"]
                + services.map { .init(stringLiteral: $0) }),
        module("Operations", "Scaffold", ["Models", "Values"]),
        module("Operations", "LocalStack", ["EventLoop"]),
        module("Operations", "ConsulTesting", ["EventLoop", "HTTPCodec", "HTTP", "Telemetry"]),
        module(
            "Operations", "ServiceTesting",
            [
                "AMQP", "EventLoop", "HTTP", "HTTPCodec", "LocalStack", "PostgreSQL", "Security", "ServiceKit",
                "Telemetry",
                "TelemetryTesting", "Values",
            ]),
        module("Operations", "Shopping", ["EventLoop", "HTTPCodec", "HTTP"]),
        module(
            "Operations", "Drills",
            [
                "Telemetry", "EventLoop", "HTTPCodec", "HTTP", "Security", "Values", "ServiceKit", "LocalStack",
                "Observability",
            ]),
        module("Operations", "Demo", ["Shopping", "Values"] + allContracts),
        module("Operations", "Load", ["Shopping", "EventLoop", "Telemetry", "Values"] + allContracts),

        .executableTarget(
            name: "vitrine",
            dependencies: [
                "Telemetry", "EventLoop", "HTTP", "Redis", "Values", "Configuration", "Tasks", "ServiceKit",
                "LocalStack", "Demo", "Drills", "Load", "Wiring", "Observability", "Scaffold",
                "Security",
            ],
            path: "Sources/vitrine", swiftSettings: settings),
        // What `Benchmarks/run` measures; part of no layer and of no product.
        .executableTarget(
            name: "vitrine-bench",
            dependencies: [
                "EventLoop", "Gateway", "HTTP", "HTTPCodec", "LocalStack", "Models", "Orders", "Purchase", "ServiceKit",
                "Telemetry",
            ],
            path: "Benchmarks/Servers", swiftSettings: settings),

        // What `Benchmarks/run --cases tasks` measures, and the workers that a test kills.
        .executableTarget(
            name: "tasks-bench",
            dependencies: ["EventLoop", "LocalStack", "PostgreSQL", "Redis", "Tasks", "Telemetry"],
            path: "Benchmarks/Tasks", swiftSettings: settings),

        .executableTarget(
            name: "telemetry-bench", dependencies: ["Telemetry", "TelemetrySDK"], path: "Benchmarks/Telemetry",
            swiftSettings: settings),

        tests("TelemetryTests", ["Telemetry", "TelemetrySDK", "TelemetryTesting"]),
        tests(
            "TelemetryExportTests",
            [
                "TelemetryExport", "Telemetry", "TelemetrySDK", "TelemetryTesting", "EventLoop", "HTTP", "HTTPCodec",
                "TLS",
            ]),
        tests("EventLoopTests", ["EventLoop", "Telemetry", "TelemetryTesting"]),
        tests("HTTPCodecTests", ["HTTPCodec"]),
        tests("HTTPTests", ["HTTP", "HTTPCodec", "EventLoop", "Telemetry", "TelemetryTesting"]),
        tests("ConnectionPoolTests", ["ConnectionPool"]),
        tests("PostgreSQLTests", ["PostgreSQL", "EventLoop", "Telemetry", "TelemetryTesting", "LocalStack"]),
        tests("RedisTests", ["Redis", "EventLoop", "Telemetry", "TelemetryTesting", "LocalStack"]),
        tests("AMQPTests", ["AMQP", "EventLoop", "Telemetry", "TelemetryTesting", "LocalStack"]),
        tests(
            "ConsulTests",
            ["Consul", "ConsulTesting", "EventLoop", "HTTP", "HTTPCodec", "Telemetry", "TelemetryTesting"]),
        tests("MailTests", ["Mail", "EventLoop", "Telemetry", "TelemetryTesting"]),
        tests("ValuesTests", ["Values"]),
        tests("ConfigurationTests", ["Configuration"]),
        tests("ResilienceTests", ["Resilience", "Telemetry"]),
        tests("SecurityTests", ["Security", "EventLoop"]),
        tests(
            "CachingTests", ["Caching", "Redis", "EventLoop", "Telemetry", "TelemetryTesting", "LocalStack"]),
        tests(
            "TasksTests",
            [
                "tasks-bench", "Tasks", "Locks", "Telemetry", "TelemetryTesting", "EventLoop", "PostgreSQL", "Redis",
                "Security",
                "Values", "LocalStack",
            ]),
        tests(
            "ServiceKitTests",
            [
                "ServiceKit", "Telemetry", "TelemetryTesting", "EventLoop", "HTTP", "HTTPCodec", "PostgreSQL", "Redis",
                "AMQP", "Values", "Configuration", "Resilience", "Security", "LocalStack", "ServiceTesting",
                "Consul", "ConsulTesting",
            ]),
        tests(
            "ModelsTests",
            [
                "Models", "Purchase", "PurchaseContracts", "Warehouse", "WarehouseContracts", "CatalogContracts",
                "Users",
                "UsersContracts",
                "OrdersContracts", "ProcessorContracts", "ServiceKit", "Telemetry", "TelemetryTesting", "EventLoop",
                "HTTP", "HTTPCodec", "PostgreSQL",
                "Values", "Security", "LocalStack", "ServiceTesting",
            ]),
        tests(
            "ServicesTests",
            [
                "ServiceKit", "Telemetry", "TelemetryTesting", "EventLoop", "HTTP", "HTTPCodec", "PostgreSQL", "Redis",
                "AMQP", "Mail", "Values", "Configuration", "Security", "LocalStack", "ServiceTesting",
                "Consul", "ConsulTesting",
            ] + services.map { .init(stringLiteral: $0) } + allContracts),
        tests(
            "IntegrationTests",
            [
                "EventLoop", "HTTP", "HTTPCodec", "PostgreSQL", "Redis", "Values", "LocalStack", "Telemetry",
                "TelemetryTesting", "ServiceKit", "Wiring", "Observability", "Drills",
            ]),
        tests("LocalStackTests", ["LocalStack"]),
        tests("LoadTests", ["Load"]),
        tests(
            "ObservabilityTests",
            ["Observability", "Wiring", "ServiceKit", "Telemetry", "TelemetryTesting", "LocalStack"]),
        tests("ScaffoldTests", ["Scaffold", "LocalStack", "TelemetryTesting"]),
        tests("ArchitectureTests", []),
    ]
)
for name in modelServices {
    package.targets.append(service(name, contracts: ["Models"], hasMigrations: true))
    package.targets.append(tests("\(name)Tests", [.init(stringLiteral: name), "HTTPCodec", "ServiceTesting"]))
}

// MARK: - Layers

/// The folders of `Sources/`, from the ground up.
let layers = [
    "System", "Telemetry", "Transport", "Export", "Drivers", "Platform", "Contracts", "Services", "Operations",
    "vitrine",
]

func layer(of target: Target) -> Int? {
    guard let path = target.path, path.hasPrefix("Sources/") else { return nil }
    return layers.firstIndex(of: String(path.split(separator: "/")[1]))
}

let layerByName = Dictionary(
    uniqueKeysWithValues: package.targets.compactMap { target in layer(of: target).map { (target.name, $0) } })

for target in package.targets {
    guard let own = layerByName[target.name] else { continue }
    for dependency in target.dependencies {
        guard case .byNameItem(let name, _) = dependency, let other = layerByName[name] else { continue }
        precondition(other <= own, "\(target.name) (\(layers[own])) must not depend on \(name) (\(layers[other]))")
        precondition(
            !(layers[own] == "Services" && layers[other] == "Services"),
            "\(target.name) must not import the service \(name): services meet through HTTP and events")
    }
}
