import Glibc

/// Where a person reads: a descriptor, written whole, with colour only when it is a terminal.
struct Terminal: Sendable {
    let descriptor: Int32

    static let standard = Terminal(descriptor: 1)
    static let errors = Terminal(descriptor: 2)

    var isInteractive: Bool { isatty(descriptor) == 1 }

    func write(_ text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0 {
                if errno == EINTR { continue }
                return
            }
            bytes = bytes.dropFirst(count)
        }
    }

    func line(_ text: String) { write(text + "\n") }

    /// A step of long work: what is happening, then how it went.
    func step<T>(_ what: String, _ body: () async throws -> T) async throws -> T {
        write("  \(Usage.padded(what + " …", 44))")
        let start = Self.seconds()
        do {
            let result = try await body()
            line("\(tick) \(Self.oneDecimal(Self.seconds() - start)) s")
            return result
        } catch {
            line("failed")
            throw error
        }
    }

    var tick: String { isInteractive ? "\u{1B}[32mok\u{1B}[0m" : "ok" }

    static func seconds() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    static func oneDecimal(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }
}
