internal import CThread
internal import Glibc
internal import Telemetry
internal import TelemetrySDK

/// The last line of a process: on a fatal signal (SIGSEGV, SIGBUS, SIGILL, SIGABRT, SIGFPE, SIGTRAP) one ECS line with the
/// trace, the build and the backtrace goes to standard error, the logs are flushed, and the signal does what it would
/// have done.
///
/// The work is done in C (`CThread/crash.c`), because nothing of Swift is safe in a signal handler but what is tried
/// there and given up when it fails. Frames are `module+0xoffset`: `llvm-symbolizer --obj=vitrine 0x…` names them, for
/// the binary of that build id.
enum CrashReporter {
    /// The line, whose level is `fatal`: nothing else has that.
    static let event = LogEvent("process.crashed", level: .error, help: "A fatal signal ended the process.")

    /// Installs the handlers, or changes what the line says of the process. Once installed they stay.
    /// - Returns: false when the system refuses.
    static func install(serviceName: String) -> Bool {
        // A first use that initialises must not happen in the handler.
        _ = TelemetryContext.current
        var process = ByteBuffer()
        process.append(",\"ecs.version\":" as StaticString)
        process.appendJSONString(ECS.version)
        process.append(",\"service.name\":" as StaticString)
        process.appendJSONString(serviceName, limit: 128)
        process.append(",\"service.version\":" as StaticString)
        process.appendJSONString(SDKVersion.current, limit: 128)
        process.append(",\"event.dataset\":" as StaticString)
        process.appendJSONString(serviceName + ".log", limit: 128)
        process.append(",\"log.logger\":\"crash\",\"process.pid\":" as StaticString)
        process.appendDecimal(Int(getpid()))
        process.append(",\"event.action\":" as StaticString)
        process.appendJSONString(event.name)
        var build = ByteBuffer()
        build.append(",\"labels.build_id\":" as StaticString)
        build.appendJSONString(String(cString: vitrine_build_id()))
        return vitrine_crash_install(process.string(), build.string(), tellContext) == 0
    }
}

/// Runs in the signal handler.
private func tellContext(
    high: UnsafeMutablePointer<UInt64>, low: UnsafeMutablePointer<UInt64>, span: UnsafeMutablePointer<UInt64>
) {
    guard let context = TelemetryContext.current.span else { return }
    high.pointee = context.traceID.high
    low.pointee = context.traceID.low
    span.pointee = context.spanID.value
}
