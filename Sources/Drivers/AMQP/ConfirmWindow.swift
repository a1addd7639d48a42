/// Messages that were published and wait for their confirm, by delivery tag (RabbitMQ, publisher confirms): a pure
/// state machine. Tags count up from 1 on each channel; the broker settles one, or all up to one.
struct ConfirmWindow<Waiter> {
    struct Entry {
        let messageID: String
        let deadline: UInt64
        let waiter: Waiter
        /// Why no queue took the message; the confirm follows all the same.
        var returned: String?
    }

    /// In the order of tags; nil once settled. The first `head` are gone.
    private var entries: [Entry?] = []
    private var head = 0
    private var firstTag: UInt64 = 1

    /// Messages that wait.
    private(set) var count = 0

    /// Slots that may lie idle at the front before the rest moves up.
    private static var maxIdleSlots: Int { 1024 }

    /// Adds the next message. Deadlines must not go down from one to the next.
    mutating func add(messageID: String, deadline: UInt64, waiter: Waiter) {
        entries.append(Entry(messageID: messageID, deadline: deadline, waiter: waiter))
        count += 1
    }

    /// The broker gave a message back. Returns come before the confirms, in the order of publishing.
    mutating func noteReturned(messageID: String, reason: String) {
        for index in head..<entries.count
        where entries[index]?.messageID == messageID && entries[index]?.returned == nil {
            entries[index]?.returned = reason
            return
        }
    }

    /// Takes out what the broker settled, in the order of publishing. Tags of no message that waits are ignored.
    mutating func settle(_ tag: UInt64, multiple: Bool) -> [Entry] {
        guard tag >= firstTag, tag - firstTag < UInt64(entries.count - head) else { return [] }
        let last = head + Int(tag - firstTag)
        var settled: [Entry] = []
        for index in (multiple ? head : last)...last {
            guard let entry = entries[index] else { continue }
            entries[index] = nil
            count -= 1
            settled.append(entry)
        }
        dropSettled()
        return settled
    }

    /// Takes out those whose deadline has come. A late confirm is then ignored.
    mutating func expire(now: UInt64) -> [Entry] {
        var expired: [Entry] = []
        while head < entries.count, let entry = entries[head], entry.deadline <= now {
            entries[head] = nil
            count -= 1
            expired.append(entry)
            dropSettled()
        }
        return expired
    }

    /// When the oldest gives up waiting; nil when nothing waits.
    var nextDeadline: UInt64? { head < entries.count ? entries[head]?.deadline : nil }

    /// Takes out everything and counts from 1 again: the channel is gone.
    mutating func reset() -> [Entry] {
        defer { self = ConfirmWindow() }
        return entries[head...].compactMap { $0 }
    }

    /// Keeps the first slot one that waits.
    private mutating func dropSettled() {
        while head < entries.count, entries[head] == nil {
            head += 1
            firstTag += 1
        }
        if head == entries.count || head > Self.maxIdleSlots {
            entries.removeFirst(head)
            head = 0
        }
    }
}
