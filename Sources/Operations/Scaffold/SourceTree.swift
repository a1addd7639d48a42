internal import FoundationEssentials

/// A repository's folder, read and written by paths from its root.
package struct SourceTree: Sendable {
    package let path: String

    /// - Throws: `ScaffoldError` unless the folder is the root of a repository.
    package init(path: String) throws(ScaffoldError) {
        guard FileManager.default.fileExists(atPath: "\(path)/Package.swift") else {
            throw ScaffoldError("\(path) is not the root of the repository: run this there, or name it with --folder")
        }
        self.path = path
    }

    package func scaffold() -> Scaffold {
        let path = path
        return Scaffold { relative in
            FileManager.default.contents(atPath: "\(path)/\(relative)").map { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// Writes what was worked out.
    /// - Throws: `ScaffoldError` naming the file that cannot be written.
    package func write(_ changes: [Scaffold.Change]) throws(ScaffoldError) {
        for change in changes {
            let target = "\(path)/\(change.path)"
            let parent = target[..<(target.lastIndex(of: "/") ?? target.startIndex)]
            do {
                try FileManager.default.createDirectory(atPath: String(parent), withIntermediateDirectories: true)
                try Data(change.text.utf8).write(to: URL(filePath: target), options: .atomic)
            } catch {
                throw ScaffoldError("\(change.path) cannot be written: \(error)")
            }
        }
    }
}
