import FoundationEssentials
import Observability
import ServiceKit
import Telemetry
import Testing
import Wiring

/// Files made from declarations: never stale in the repository, and people's own words in them are kept.
@Suite struct RenderingTests {
    /// The repository, wherever the folder of this file is linked from.
    static let root = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().path

    @Test func theRepositoryHoldsWhatTheDeclarationsSay() throws {
        let files = try PlatformRendering(services: ServiceTable.all).files()
        let stale = try RenderedFolder(path: Self.root).stale(files)
        #expect(stale.isEmpty, "run 'vitrine render': \(stale.joined(separator: "; "))")
    }

    @Test func renderingTwiceGivesTheSame() throws {
        let rendering = PlatformRendering(services: ServiceTable.all)
        let first = try rendering.files()
        let second = try rendering.files()
        #expect(first.map(\.path) == second.map(\.path))
        #expect(first.map(\.content) == second.map(\.content))
        #expect(Set(first.map(\.path)).count == first.count)
    }

    @Test func everyDeclaredNameIsDocumented() throws {
        let files = try PlatformRendering(services: ServiceTable.all).files()
        let document = try #require(files.first { $0.path == "docs/telemetry.md" }).content
        for contract in ServiceTable.all.map(\.contract) {
            for metric in contract.metrics {
                #expect(document.contains("| `\(metric.name)` | \(metric.kind.rawValue) |"))
            }
            for event in contract.events { #expect(document.contains("| `\(event.name)` | \(event.level.name) |")) }
            for span in contract.spans { #expect(document.contains("| `\(span.name)` | \(span.kind) |")) }
        }
    }

    @Test func aStaleFileIsNamedWithItsFirstDifference() throws {
        try withRepository { folder in
            let file = RenderedFile("docs/a.md", "one\ntwo\n")
            try #expect(folder.stale([file]) == ["docs/a.md is missing"])
            try #expect(folder.write([file]) == ["docs/a.md"])
            try #expect(folder.write([file]) == [])
            try #expect(folder.stale([file]) == [])
            try #expect(
                folder.stale([RenderedFile("docs/a.md", "one\n2\n")]) == [
                    "docs/a.md is stale: line 2 is 'two', should be '2'"
                ])
        }
    }

    @Test func whatPeopleWroteBelowTheMarkIsKept() throws {
        try withRepository { folder in
            let mark = "<!-- yours -->"
            _ = try folder.write([RenderedFile("docs/runbooks/a.md", "head 1\n", bodyMark: mark, firstBody: "first\n")])
            let path = folder.path + "/docs/runbooks/a.md"
            try #expect(String(contentsOf: URL(filePath: path), encoding: .utf8) == "head 1\n\(mark)\nfirst\n")
            try Data("head 1\n\(mark)\nmine\nand more\n".utf8).write(to: URL(filePath: path))
            let renewed = RenderedFile("docs/runbooks/a.md", "head 2\n", bodyMark: mark, firstBody: "first\n")
            try #expect(folder.stale([renewed]).count == 1)
            _ = try folder.write([renewed])
            try #expect(String(contentsOf: URL(filePath: path), encoding: .utf8) == "head 2\n\(mark)\nmine\nand more\n")
        }
    }

    @Test func aFileThatNothingRendersAnyMoreGoes() throws {
        try withRepository { folder in
            _ = try folder.write([RenderedFile("alerts/a.yml", "a"), RenderedFile("alerts/rules/b.yml", "b")])
            let rest = [RenderedFile("alerts/a.yml", "a")]
            try #expect(folder.stale(rest) == ["alerts/rules/b.yml is rendered by nothing any more"])
            try #expect(folder.write(rest) == ["alerts/rules/b.yml"])
            try #expect(folder.stale(rest) == [])
        }
    }

    @Test func aFolderThatIsNoRepositoryIsRefused() throws {
        #expect(throws: RenderingError.self) { try RenderedFolder(path: "/proc").write([]) }
    }

    private func withRepository(_ body: (RenderedFolder) throws -> Void) throws {
        let path = "/tmp/vitrine-render-\(UInt32.random(in: .min ... .max))"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data().write(to: URL(filePath: path + "/Package.swift"))
        try body(RenderedFolder(path: path))
    }
}
