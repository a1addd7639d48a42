internal import FoundationEssentials

/// A folder that rendered files are written into, or compared with.
package struct RenderedFolder: Sendable {
    package let path: String
    package init(path: String) { self.path = path }

    /// Folders that hold nothing but rendered files: what nothing renders any more is stale there.
    private static let owned = ["dashboards", "alerts", "docs/runbooks"]

    /// Writes what differs, and removes rendered files that are no more.
    /// - Returns: the paths that changed, in order.
    /// - Throws: `RenderingError` when the folder is no repository or a file cannot be written.
    package func write(_ files: [RenderedFile]) throws -> [String] {
        try checkRoot()
        var changed: [String] = []
        for file in files {
            let existing = read(file.path)
            let text = file.text(replacing: existing)
            guard text != existing else { continue }
            let target = "\(path)/\(file.path)"
            let parent = target[..<(target.lastIndex(of: "/") ?? target.startIndex)]
            do {
                try FileManager.default.createDirectory(
                    atPath: String(parent), withIntermediateDirectories: true)
                try Data(text.utf8).write(to: URL(filePath: target), options: .atomic)
            } catch {
                throw RenderingError("\(file.path) cannot be written: \(error)")
            }
            changed.append(file.path)
        }
        for path in leftOver(files) {
            do { try FileManager.default.removeItem(atPath: "\(self.path)/\(path)") } catch {
                throw RenderingError("\(path) cannot be removed: \(error)")
            }
            changed.append(path)
        }
        return changed
    }

    /// What differs from the declarations, a sentence a file.
    /// - Throws: `RenderingError` when the folder is no repository.
    package func stale(_ files: [RenderedFile]) throws -> [String] {
        try checkRoot()
        var problems: [String] = []
        for file in files {
            guard let existing = read(file.path) else {
                problems.append("\(file.path) is missing")
                continue
            }
            let wanted = file.text(replacing: existing)
            guard wanted != existing else { continue }
            problems.append("\(file.path) is stale: \(Self.firstDifference(existing, wanted))")
        }
        return problems + leftOver(files).map { "\($0) is rendered by nothing any more" }
    }

    private func checkRoot() throws {
        guard FileManager.default.fileExists(atPath: "\(path)/Package.swift") else {
            throw RenderingError("\(path) is not the root of the repository: name it with --folder")
        }
    }

    private func read(_ relative: String) -> String? {
        FileManager.default.contents(atPath: "\(path)/\(relative)").map { String(decoding: $0, as: UTF8.self) }
    }

    private func leftOver(_ files: [RenderedFile]) -> [String] {
        let known = Set(files.map(\.path))
        return Self.owned.flatMap { folder in
            ((try? FileManager.default.subpathsOfDirectory(atPath: "\(path)/\(folder)")) ?? []).map {
                "\(folder)/\($0)"
            }
        }.filter { !known.contains($0) && isFile($0) }.sorted()
    }

    private func isFile(_ relative: String) -> Bool {
        var isFolder = false
        return FileManager.default.fileExists(atPath: "\(path)/\(relative)", isDirectory: &isFolder) && !isFolder
    }

    private static func firstDifference(_ old: String, _ new: String) -> String {
        let old = old.split(separator: "\n", omittingEmptySubsequences: false)
        let new = new.split(separator: "\n", omittingEmptySubsequences: false)
        for index in 0..<max(old.count, new.count) {
            let before = index < old.count ? old[index] : nil
            let after = index < new.count ? new[index] : nil
            guard before != after else { continue }
            let found = before.map { "'\($0.prefix(excerpt))'" } ?? "nothing"
            let should = after.map { "'\($0.prefix(excerpt))'" } ?? "nothing"
            return "line \(index + 1) is \(found), should be \(should)"
        }
        return "it differs"
    }

    private static let excerpt = 80
}

/// Files cannot be rendered; says what is wrong.
package struct RenderingError: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
