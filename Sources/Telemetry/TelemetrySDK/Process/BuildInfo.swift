package import Telemetry

/// What the running program was built from, as a series of value 1: two versions side by side show in one query.
package enum BuildInfo {
    static let info = Info(
        "vitrine_build_info", help: "The version of the program, the compiler and its mode.",
        labels: ["version", "compiler", "mode"])

    /// Shows it in a registry.
    package static func register(in registry: MetricRegistry) {
        registry.info(info, SDKVersion.current, compiler, mode)
    }

    private static var mode: String {
        #if DEBUG
            "debug"
        #else
            "release"
        #endif
    }

    private static var compiler: String {
        #if compiler(>=6.4)
            "swift 6.4 or newer"
        #elseif compiler(>=6.3)
            "swift 6.3"
        #else
            "swift 6.2"
        #endif
    }
}
