internal import Glibc

/// The descriptor that log lines are written to, in the way that never blocks on a reader.
///
/// Standard output is shared with other processes, so that making it non-blocking would change it for them too: a pipe or
/// a terminal is opened once more, which gives it flags of its own. Where that is not allowed, it is asked before each
/// write whether it takes one.
struct LogOutput: ~Copyable {
    enum Outcome: Equatable {
        /// So many bytes were written.
        case took(Int)
        /// It takes nothing now.
        case full
        /// The reader has gone or the disk is full: what was offered is lost.
        case lost(reason: String)
    }

    private enum Way {
        /// A write ends by itself: a file.
        case plain
        case socket
        /// A description of our own that does not block.
        case nonBlocking
        case asked
    }

    /// POSIX guarantees that a pipe that polls writable takes this much at once.
    private static let pipeBytes = 4_096
    /// At once to anything else; a stop is noticed in between.
    private static let chunkBytes = 1024 * 1024

    /// To be polled until it takes more.
    let descriptor: Int32
    private let way: Way

    /// - Parameter shared: neither changed nor closed.
    init(_ shared: Int32) {
        var status = stat()
        let kind = fstat(shared, &status) == 0 ? status.st_mode & S_IFMT : 0
        switch kind {
        case S_IFREG: (descriptor, way) = (shared, .plain)
        case S_IFSOCK: (descriptor, way) = (shared, .socket)
        default:
            let own = open("/proc/self/fd/\(shared)", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)
            (descriptor, way) = own >= 0 ? (own, .nonBlocking) : (shared, .asked)
        }
    }

    deinit { if way == .nonBlocking { close(descriptor) } }

    /// Writes the front of `bytes`, which are not empty.
    func write(_ bytes: UnsafeRawBufferPointer) -> Outcome {
        let count: Int
        switch way {
        case .plain, .nonBlocking:
            count = Glibc.write(descriptor, bytes.baseAddress, min(bytes.count, Self.chunkBytes))
        case .socket:
            count = send(
                descriptor, bytes.baseAddress, min(bytes.count, Self.chunkBytes),
                Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
        case .asked:
            var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
            guard poll(&ready, 1, 0) > 0 else { return .full }
            count = Glibc.write(descriptor, bytes.baseAddress, min(bytes.count, Self.pipeBytes))
        }
        if count > 0 { return .took(count) }
        switch count < 0 ? errno : EPIPE {
        case EINTR: return .took(0)
        case EAGAIN, EWOULDBLOCK: return .full
        case ENOSPC, EDQUOT, EFBIG: return .lost(reason: "disk_full")
        default: return .lost(reason: "closed")
        }
    }
}
