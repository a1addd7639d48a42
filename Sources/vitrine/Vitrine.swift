import Configuration
import Glibc
import LocalStack

/// The one executable of the platform: it runs any set of services, the local stack, the demo and the tools.
@main
enum Vitrine {
    static func main() async {
        Signals.prepare()
        let arguments = Array(CommandLine.arguments.dropFirst())
        guard let name = arguments.first, !["-h", "--help", "help"].contains(name) else {
            Terminal.standard.write(Usage.overview)
            exit(arguments.isEmpty ? 2 : 0)
        }
        guard let command = Command.all.first(where: { $0.name == name }) else {
            fail("there is no command '\(name)': 'vitrine --help' lists them", status: 2)
        }
        do {
            let parsed = try Arguments(Array(arguments.dropFirst()), of: command)
            if parsed.wantsHelp {
                Terminal.standard.write(command.help)
                exit(0)
            }
            exit(try await command.run(parsed))
        } catch let error as UsageError {
            fail("\(error.description); 'vitrine \(name) --help' shows what it takes", status: 2)
        } catch {
            fail(Self.sentence(error), status: 1)
        }
    }

    /// An error as a person should read it.
    static func sentence(_ error: any Error) -> String {
        if let error = error as? any CustomStringConvertible & Error { return error.description }
        return "\(error)"
    }

    private static func fail(_ message: String, status: Int32) -> Never {
        Terminal.errors.write("vitrine: \(message)\n")
        exit(status)
    }
}
