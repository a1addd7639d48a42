/// The senders of one signal, one for each collector.
struct OTLPSenders: Sendable {
    private let senders: [OTLPSender]

    init(_ senders: [OTLPSender]) { self.senders = senders }

    /// The forms in which requests are wanted now; none while every collector refuses whatever it gets.
    func wantedFormats() -> Set<OTLPFormat> { Set(senders.filter { !$0.isPausing }.map(\.target.format)) }

    /// Gives each collector the message in its form.
    func offer(_ messages: [OTLPMessage]) {
        for sender in senders {
            let wanted = sender.target.format
            if let message = messages.first(where: { $0.format == wanted })
                ?? messages.first(where: { $0.format.isJSON == wanted.isJSON })
            {
                sender.offer(message)
            } else if let any = messages.first {
                sender.loseUnasked(any.itemCount)
            }
        }
    }

    /// Counts items of which no message was made, because no collector wants one.
    func loseUnasked(_ itemCount: Int) { for sender in senders { sender.loseUnasked(itemCount) } }

    func start() { for sender in senders { sender.start() } }

    /// All at once, for at most so long.
    func shutdown(timeoutMilliseconds: Int) async {
        await withTaskGroup(of: Void.self) { group in
            for sender in senders {
                group.addTask { await sender.shutdown(timeoutMilliseconds: timeoutMilliseconds) }
            }
        }
    }

    /// Counts items that were lost before any message was made of them.
    func lost(_ count: Int, _ errorType: String) { for sender in senders { sender.lost(count, errorType) } }
}
