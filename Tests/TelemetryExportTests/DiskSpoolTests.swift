import Glibc
import Synchronization
import Testing

@testable import TelemetryExport

@Suite struct DiskSpoolTests {
    private final class Losses: Sendable {
        let counts = Mutex<[String: Int]>([:])
        func add(_ items: Int, _ reason: String) { counts.withLock { $0[reason, default: 0] += items } }
        var all: [String: Int] { counts.withLock { $0 } }
    }

    private let folder = TemporaryFolder()
    private let losses = Losses()

    private func spool(limitBytes: Int = 1_000_000, write: DiskSpool.Write? = nil) throws -> DiskSpool {
        let losses = losses
        let path = folder.path + "/a/b"
        guard let write else {
            return try DiskSpool(folder: path, limitBytes: limitBytes) { losses.add($0, $1) }
        }
        return try DiskSpool(folder: path, limitBytes: limitBytes, write: write) { losses.add($0, $1) }
    }

    private func message(_ text: String, items: Int = 1, isJSON: Bool = false, isCompressed: Bool = true) -> OTLPMessage
    {
        OTLPMessage(
            body: Array(text.utf8), itemCount: items, format: OTLPFormat(isJSON: isJSON, isCompressed: isCompressed))
    }

    private func texts(_ spool: DiskSpool) -> [String] {
        var texts: [String] = []
        while let (id, message) = spool.oldest() {
            texts.append(String(decoding: message.body, as: UTF8.self))
            spool.remove(id)
        }
        return texts
    }

    @Test func messagesComeBackInOrderAfterARestart() throws {
        do {
            let spool = try spool()
            for index in 0..<12 { spool.store(message("m\(index)", items: index, isJSON: index % 2 == 0)) }
            #expect(!spool.isEmpty && spool.byteCount > 0)
        }
        let again = try spool()
        again.store(message("last"))
        let first = try #require(again.oldest())
        #expect(first.message.itemCount == 0 && first.message.format == OTLPFormat(isJSON: true, isCompressed: true))
        #expect(texts(again) == (0..<12).map { "m\($0)" } + ["last"])
        #expect(again.isEmpty && again.byteCount == 0)
        #expect(folder.names("a/b") == ["lock"])
        #expect(losses.all.isEmpty)
    }

    @Test func theOldestMakeRoomAndAreCounted() throws {
        let spool = try spool(limitBytes: 1_000)
        for index in 0..<10 { spool.store(message("\(index)" + String(repeating: "x", count: 250), items: 3)) }
        #expect(spool.byteCount <= 1_000)
        #expect(texts(spool).map(\.first) == ["7", "8", "9"])
        #expect(losses.all == ["spool_full": 21])
        spool.store(message(String(repeating: "x", count: 2_000), items: 5))
        #expect(spool.isEmpty && losses.all == ["spool_full": 26])
    }

    @Test func aFullDiskLosesTheMessageAndNothingElse() throws {
        let isFull = Mutex(false)
        let spool = try spool(write: { descriptor, bytes, count in
            // Half of it fits.
            if isFull.withLock({ $0 }), count > 10 { return write(descriptor, bytes, count / 2) }
            if isFull.withLock({ $0 }) {
                errno = ENOSPC
                return -1
            }
            return write(descriptor, bytes, count)
        })
        spool.store(message("before"))
        isFull.withLock { $0 = true }
        spool.store(message("while", items: 7))
        isFull.withLock { $0 = false }
        spool.store(message("after"))
        #expect(losses.all == ["disk_full": 7])
        #expect(folder.names("a/b").count == 3)
        #expect(texts(spool) == ["before", "after"])
    }

    @Test func aFolderThatVanishesLosesMessagesAndIsCounted() throws {
        let spool = try spool()
        spool.store(message("gone", items: 2))
        for name in folder.names("a/b") { unlink(folder.path + "/a/b/" + name) }
        rmdir(folder.path + "/a/b")
        spool.store(message("nowhere", items: 4))
        #expect(spool.oldest() == nil)
        #expect(losses.all == ["spool_failed": 6])
    }

    @Test func damagedAndStrangeFilesAreNotSent() throws {
        do {
            let spool = try spool()
            for index in 0..<4 { spool.store(message("message \(index)", items: 2)) }
        }
        let names = folder.names("a/b").filter { $0.hasSuffix(".otlp") }
        folder.write("a/b/" + names[0], [])
        folder.write("a/b/" + names[1], [UInt8](repeating: 0x41, count: 100))
        folder.write("a/b/notes.txt", [1])
        folder.write("a/b/x-y.otlp", [1])
        folder.write("a/b/00000000000000000099-1.otlp.part", [1])
        let again = try spool()
        #expect(texts(again) == ["message 2", "message 3"])
        #expect(losses.all == ["spool_failed": 4])
        #expect(folder.names("a/b") == ["lock", "notes.txt", "x-y.otlp"])
    }

    @Test func twoProcessesDoNotShareAFolder() throws {
        let first = try spool()
        #expect(throws: DiskSpool.Unusable.self) { _ = try spool() }
        _ = first.isEmpty
        #expect(throws: DiskSpool.Unusable.self) {
            _ = try DiskSpool(folder: "/proc/no/such", limitBytes: 1) { _, _ in }
        }
    }
}
