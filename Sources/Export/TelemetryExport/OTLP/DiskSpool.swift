internal import Glibc
internal import Synchronization

/// A folder of request bodies that a collector could not take: they survive its outage and a restart of the process.
/// Bounded; the oldest make room for the newest. A file appears whole, under its name, or not at all; the power may fail,
/// then what was not on disk yet is lost.
///
/// Every call may block on the disk: they are made on a worker thread.
final class DiskSpool: Sendable {
    /// Why a folder cannot be used.
    struct Unusable: Error, CustomStringConvertible {
        let description: String
    }

    private struct File {
        let sequence: UInt64
        let itemCount: Int
        let byteCount: Int
    }

    private struct State {
        var files: [File] = []
        var nextSequence: UInt64 = 1
        var byteCount = 0
    }

    private let folder: String
    private let limitBytes: Int
    private let lock: Int32
    private let state: Mutex<State>
    private let write: Write
    private let lose: @Sendable (_ items: Int, _ reason: String) -> Void

    /// `write(2)`, or what a test puts in its place.
    typealias Write = @Sendable (_ descriptor: Int32, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int

    private static let suffix = ".otlp"
    private static let magic: [UInt8] = Array("VOTLP\u{1}".utf8)
    /// Magic, format, item count, length of the body, checksum of the body.
    private static let headBytes = 6 + 1 + 4 + 4 + 8
    /// No body is larger; a file that says so is not ours.
    private static let maxBodyBytes = 64 * 1024 * 1024
    /// Small bodies do not fill the disk with files.
    private static let maxFiles = 10_000

    /// Opens the folder, and makes it when it is not there.
    /// - Parameter lose: told of items that had to make room, or could not be written or read.
    /// - Throws: `Unusable` when it cannot be made or another process uses it.
    init(
        folder: String, limitBytes: Int, write: @escaping Write = { Glibc.write($0, $1, $2) },
        lose: @escaping @Sendable (_ items: Int, _ reason: String) -> Void
    ) throws {
        self.folder = folder
        self.limitBytes = limitBytes
        self.write = write
        self.lose = lose
        Self.makeFolders(folder)
        lock = open(folder + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard lock >= 0 else {
            throw Unusable(description: "the folder cannot be made or written to (error \(errno))")
        }
        guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
            close(lock)
            throw Unusable(description: "another process uses it: give each a folder of its own")
        }
        state = Mutex(Self.scan(folder))
    }

    deinit { close(lock) }

    private static func makeFolders(_ path: String) {
        var made = ""
        for part in path.split(separator: "/") {
            made += "/" + part
            mkdir(made, 0o700)
        }
    }

    /// What an earlier process left.
    private static func scan(_ folder: String) -> State {
        var state = State()
        guard let directory = opendir(folder) else { return state }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasSuffix(".part") { unlink(folder + "/" + name) }
            guard name.hasSuffix(suffix) else { continue }
            let parts = name.dropLast(suffix.count).split(separator: "-")
            var status = stat()
            guard parts.count == 2, let sequence = UInt64(parts[0]), let items = Int(parts[1]),
                lstat(folder + "/" + name, &status) == 0, status.st_mode & S_IFMT == S_IFREG
            else { continue }
            state.files.append(File(sequence: sequence, itemCount: items, byteCount: Int(status.st_size)))
            state.byteCount += Int(status.st_size)
        }
        state.files.sort { $0.sequence < $1.sequence }
        state.nextSequence = (state.files.last?.sequence ?? 0) &+ 1
        return state
    }

    /// Bytes on disk.
    var byteCount: Int { state.withLock { $0.byteCount } }
    var isEmpty: Bool { state.withLock { $0.files.isEmpty } }

    private func path(_ file: File) -> String {
        let digits = String(file.sequence)
        return folder + "/" + String(repeating: "0", count: max(0, 20 - digits.count)) + digits + "-\(file.itemCount)"
            + Self.suffix
    }

    /// What the system says when a file can grow no more.
    private static let full = [ENOSPC, EDQUOT, EFBIG]

    // MARK: Writing

    /// Keeps a message, unless the disk refuses; the oldest ones make room.
    func store(_ message: OTLPMessage) {
        let size = Self.headBytes + message.body.count
        guard size <= limitBytes else { return lose(message.itemCount, "spool_full") }
        let (file, displaced) = state.withLock { state in
            var displaced: [File] = []
            while !state.files.isEmpty, state.byteCount + size > limitBytes || state.files.count >= Self.maxFiles {
                let oldest = state.files.removeFirst()
                state.byteCount -= oldest.byteCount
                displaced.append(oldest)
            }
            let file = File(sequence: state.nextSequence, itemCount: message.itemCount, byteCount: size)
            state.nextSequence += 1
            return (file, displaced)
        }
        for old in displaced {
            unlink(path(old))
            lose(old.itemCount, "spool_full")
        }
        let name = path(file)
        if let error = put(head(message), message.body, to: name + ".part") {
            unlink(name + ".part")
            return lose(message.itemCount, Self.full.contains(error) ? "disk_full" : "spool_failed")
        }
        guard rename(name + ".part", name) == 0 else {
            unlink(name + ".part")
            return lose(message.itemCount, "spool_failed")
        }
        state.withLock { state in
            state.files.append(file)
            state.byteCount += size
        }
    }

    private func head(_ message: OTLPMessage) -> [UInt8] {
        var head = Self.magic
        head.append((message.format.isJSON ? 1 : 0) | (message.format.isCompressed ? 2 : 0))
        head += Self.bytes(UInt64(message.itemCount), 4) + Self.bytes(UInt64(message.body.count), 4)
        return head + Self.bytes(Self.checksum(message.body[...]), 8)
    }

    /// - Returns: an error number, or nil.
    private func put(_ head: [UInt8], _ body: [UInt8], to path: String) -> Int32? {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return errno }
        for part in [head, body] {
            var written = 0
            while written < part.count {
                let count = part[written...].withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
                if count < 0, errno == EINTR { continue }
                guard count > 0 else {
                    let error = errno
                    close(descriptor)
                    return error
                }
                written += count
            }
        }
        return close(descriptor) == 0 ? nil : errno
    }

    // MARK: Reading

    /// The oldest message that is kept; files that are not whole are removed and counted.
    func oldest() -> (id: UInt64, message: OTLPMessage)? {
        while let file = state.withLock({ $0.files.first }) {
            if let message = read(file) { return (file.sequence, message) }
            remove(file.sequence)
            lose(file.itemCount, "spool_failed")
        }
        return nil
    }

    /// Removes a message that was sent or refused.
    func remove(_ id: UInt64) {
        let file = state.withLock { state -> File? in
            guard let index = state.files.firstIndex(where: { $0.sequence == id }) else { return nil }
            let file = state.files.remove(at: index)
            state.byteCount -= file.byteCount
            return file
        }
        if let file { unlink(path(file)) }
    }

    private func read(_ file: File) -> OTLPMessage? {
        guard file.byteCount >= Self.headBytes, file.byteCount <= Self.headBytes + Self.maxBodyBytes else { return nil }
        let descriptor = open(path(file), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var length = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: file.byteCount) { buffer, count in
            while length < buffer.count, let base = buffer.baseAddress {
                let got = Glibc.read(descriptor, base + length, buffer.count - length)
                if got < 0, errno == EINTR { continue }
                if got <= 0 { break }
                length += got
            }
            count = length
        }
        guard bytes.count == file.byteCount, bytes.starts(with: Self.magic) else { return nil }
        let body = bytes[Self.headBytes...]
        let format = bytes[6]
        guard format <= 3, Self.number(bytes[11..<15]) == UInt64(body.count),
            Self.number(bytes[15..<23]) == Self.checksum(body)
        else { return nil }
        return OTLPMessage(
            body: Array(body), itemCount: Int(Self.number(bytes[7..<11])),
            format: OTLPFormat(isJSON: format & 1 != 0, isCompressed: format & 2 != 0))
    }

    private static func bytes(_ number: UInt64, _ count: UInt64) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// FNV-1a: finds files that were cut or overwritten, not those that somebody forged.
    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt64 {
        bytes.withUnsafeBufferPointer { bytes in
            bytes.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01B3 }
        }
    }
}
