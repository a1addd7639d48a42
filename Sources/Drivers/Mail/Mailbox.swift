internal import Glibc

/// A folder of `.eml` files: what local work has instead of a mail server.
struct Mailbox: Sendable {
    let folder: String

    /// Writes a message under a temporary name and renames it, so that no reader sees half of it. The name comes from
    /// the message's id: sent twice, it is one file.
    func store(_ bytes: [UInt8], messageID: String) throws(MailError) {
        let name = messageID.prefix { $0 != "@" }.filter { $0.isLetter || $0.isNumber || $0 == "-" }
        guard !name.isEmpty else { throw .invalidMessage("the message id has no letters") }
        if mkdir(folder, 0o755) != 0, errno != EEXIST { throw Self.failure("create", folder) }
        let temporary = "\(folder)/.\(name).new"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw Self.failure("write to", folder) }
        let written = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        close(descriptor)
        guard written == bytes.count, rename(temporary, "\(folder)/\(name).eml") == 0 else {
            unlink(temporary)
            throw Self.failure("write to", folder)
        }
    }

    private static func failure(_ what: String, _ folder: String) -> MailError {
        .transport("cannot \(what) the mailbox: \(String(cString: strerror(errno)))")
    }
}
