internal import EventLoop
internal import Synchronization

/// Counts connections, in total and by client address, over all loops of a server: touched when a connection begins
/// and when it ends.
final class HTTPConnectionGate: Sendable {
    /// A client: an IPv4 address, or the /64 network of an IPv6 address, which one client owns as a whole.
    struct Client: Hashable, Sendable {
        private let high: UInt64
        private let low: UInt64

        init(_ address: SocketAddress) {
            let words = address.words
            high = words.high
            low = address.isIPv6 && words.high != 0 ? 0 : words.low
        }
    }

    private struct State {
        var total = 0
        var byClient: [Client: Int] = [:]
    }

    private let maxConnections: Int
    private let maxConnectionsPerAddress: Int
    private let state = Mutex(State())
    private let refused = Atomic<Int>(0)
    private let malformed = Atomic<Int>(0)

    init(maxConnections: Int, maxConnectionsPerAddress: Int) {
        self.maxConnections = maxConnections
        self.maxConnectionsPerAddress = maxConnectionsPerAddress
    }

    var connectionCount: Int { state.withLock { $0.total } }
    var refusedConnections: Int { refused.load(ordering: .relaxed) }
    var refusedRequests: Int { malformed.load(ordering: .relaxed) }

    /// Whether there is room; if so, `leave` must follow once.
    func enter(_ client: Client) -> Bool {
        let isAdmitted = state.withLock { state in
            guard state.total < maxConnections, state.byClient[client, default: 0] < maxConnectionsPerAddress else {
                return false
            }
            state.total += 1
            state.byClient[client, default: 0] += 1
            return true
        }
        if !isAdmitted { refused.wrappingAdd(1, ordering: .relaxed) }
        return isAdmitted
    }

    func leave(_ client: Client) {
        state.withLock { state in
            state.total -= 1
            let left = state.byClient[client, default: 1] - 1
            state.byClient[client] = left == 0 ? nil : left
        }
    }

    func requestRefused() { malformed.wrappingAdd(1, ordering: .relaxed) }
}
