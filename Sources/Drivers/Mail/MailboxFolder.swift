internal import Glibc

/// A folder of `.eml` files. A reader never sees half a message: it is renamed into place when it is complete.
struct MailboxFolder: Sendable {
    let path: String

    private static let maxNameBytes = 120

    /// - Throws: `MailError.transport`.
    func write(_ bytes: [UInt8], messageID: String, at time: timespec) throws(MailError) {
        try makeFolder()
        let name = Self.fileName(messageID, time)
        let temporary = "\(path)/.\(name).part"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure("cannot write into the mailbox folder") }
        var offset = 0
        while offset < bytes.count {
            let count = bytes.withUnsafeBytes { all in
                let rest = UnsafeRawBufferPointer(rebasing: all[offset...])
                return Glibc.write(descriptor, rest.baseAddress, rest.count)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else {
                let error = Self.failure("cannot write into the mailbox folder")
                close(descriptor)
                unlink(temporary)
                throw error
            }
            offset += count
        }
        close(descriptor)
        guard rename(temporary, "\(path)/\(name)") == 0 else {
            let error = Self.failure("cannot rename a message in the mailbox folder")
            unlink(temporary)
            throw error
        }
    }

    private func makeFolder() throws(MailError) {
        var parent = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            parent += part
            guard mkdir(parent, 0o700) == 0 || errno == EEXIST else {
                throw Self.failure("cannot make the mailbox folder")
            }
            parent += "/"
        }
    }

    /// `20240131T102030.123456Z-<message id>.eml`: names sort by time.
    private static func fileName(_ messageID: String, _ time: timespec) -> String {
        var seconds = time.tv_sec
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = "\(number)"
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let stamp =
            padded(Int(parts.tm_year) + 1900, 4) + padded(Int(parts.tm_mon) + 1, 2) + padded(Int(parts.tm_mday), 2)
            + "T" + padded(Int(parts.tm_hour), 2) + padded(Int(parts.tm_min), 2) + padded(Int(parts.tm_sec), 2) + "."
            + padded(time.tv_nsec / 1000, 6) + "Z"
        let safe = messageID.unicodeScalars.prefix(maxNameBytes).map { scalar -> Character in
            switch scalar {
            case "0"..."9", "A"..."Z", "a"..."z", "-", "_", "@", ".": Character(scalar)
            default: "_"
            }
        }
        return "\(stamp)-\(String(safe)).eml"
    }

    private static func failure(_ what: String) -> MailError {
        .transport("\(what): \(String(cString: strerror(errno)))")
    }
}
