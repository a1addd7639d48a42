import FoundationEssentials
import Testing

/// The folders of `Sources/` are the layers; imports follow them. The manifest refuses a wrong dependency, but the
/// compiler lets a file import what is only there through another target: this scan does not.
@Suite struct LayerTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
    private static let layers = [
        "System", "Telemetry", "Transport", "Export", "Drivers", "Platform", "Contracts", "Services", "Operations",
        "vitrine",
    ]

    private struct Source {
        let layer: Int
        let target: String
        let path: String
        let text: String
        var imports: [String] {
            text.split(separator: "\n").compactMap { line in
                let words = line.split(separator: " ")
                guard let index = words.firstIndex(of: "import"), index <= 2, words.count > index + 1 else {
                    return nil
                }
                guard words[..<index].allSatisfy({ ["package", "internal", "public", "@testable"].contains($0) })
                else { return nil }
                return String(words[index + 1])
            }
        }
    }

    private static func sources() throws -> [Source] {
        let manager = FileManager.default
        var found: [Source] = []
        for (rank, layer) in layers.enumerated() {
            let folder = root.path + "/Sources/" + layer
            for name in try manager.subpathsOfDirectory(atPath: folder) where name.hasSuffix(".swift") {
                let data = try #require(manager.contents(atPath: folder + "/" + name))
                let target = layer == "vitrine" ? layer : String(name.split(separator: "/")[0])
                found.append(
                    Source(
                        layer: rank, target: target, path: "\(layer)/\(name)",
                        text: String(decoding: data, as: UTF8.self)))
            }
        }
        return found
    }

    @Test func noFileImportsALayerBelowItsOwn() throws {
        let sources = try Self.sources()
        #expect(sources.count > 100)
        let rank = Dictionary(sources.map { ($0.target, $0.layer) }) { first, _ in first }
        for source in sources {
            for name in source.imports {
                if let other = rank[name] { #expect(other <= source.layer, "\(source.path) imports \(name)") }
            }
        }
    }

    @Test func servicesNeverImportEachOther() throws {
        let sources = try Self.sources()
        let services = Set(sources.filter { $0.path.hasPrefix("Services/") }.map(\.target))
        for source in sources where source.path.hasPrefix("Services/") {
            #expect(Set(source.imports).intersection(services).isEmpty, "\(source.path)")
        }
    }

    @Test func onlyOneTargetImportsEachCLibrary() throws {
        var importers: [String: Set<String>] = [:]
        for source in try Self.sources() {
            for name in source.imports where name.hasPrefix("C") && name.dropFirst().first?.isUppercase == true {
                importers[name, default: []].insert(source.target)
            }
        }
        // zlib serves the SDK and what is built on it; OpenSSL encrypts connections below and signs tokens above;
        // thread-local storage is ours.
        for (library, targets) in importers where !["CZlib", "COpenSSL", "CThread"].contains(library) {
            #expect(targets.count == 1, "\(library): \(targets.sorted())")
        }
    }

    @Test func nothingUnfinishedAndNoFoundation() throws {
        for source in try Self.sources() {
            #expect(
                !source.imports.contains("Foundation"), "\(source.path) imports Foundation: use FoundationEssentials")
            for banned in ["TODO", "FIXME", "fatalError(\"skeleton"] {
                #expect(!source.text.contains(banned), "\(source.path) holds \(banned)")
            }
        }
    }

    @Test func whatIsUncheckedSaysWhatProtectsIt() throws {
        for source in try Self.sources() where source.text.contains("@unchecked Sendable") {
            #expect(source.text.contains("Safety"), "\(source.path)")
        }
    }
}
