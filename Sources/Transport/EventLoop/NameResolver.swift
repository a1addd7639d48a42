internal import CLibUV
internal import Glibc

/// Finds the addresses of hosts off the loop, and remembers them for a while. One a loop, confined to it.
///
/// Safety (`@unchecked Sendable`): touched on the loop's thread only.
package final class NameResolver: @unchecked Sendable {
    private struct Entry {
        var addresses: [SocketAddress]
        var expiresAtMilliseconds: UInt64
    }

    package let loop: EventLoop
    private var cache: [String: Entry] = [:]

    /// How long an answer is believed: the system does not tell the time to live of names.
    private static let cacheMilliseconds: UInt64 = 10_000
    private static let maxEntries = 256
    /// Addresses of one name that are kept.
    private static let maxAddresses = 8

    package init(loop: EventLoop) { self.loop = loop }

    /// The addresses of a host, the preferred one first; never empty. Literals and `localhost` need no look-up.
    /// - Throws: `TCPError` that names the host.
    package func resolve(_ host: String, port: Int) async throws -> [SocketAddress] {
        loop.preconditionInLoop()
        if host == "localhost", let address = SocketAddress("127.0.0.1", port: port) { return [address] }
        if let literal = SocketAddress(host, port: port) { return [literal] }
        var found: [SocketAddress]
        if let entry = cache[host], entry.expiresAtMilliseconds > loop.nowMilliseconds {
            found = entry.addresses
        } else {
            found = try await withCheckedThrowingContinuation { Lookup($0).start(loop, host) }
            if cache.count >= Self.maxEntries { cache.removeAll() }
            found = Array(found.prefix(Self.maxAddresses))
            cache[host] = Entry(
                addresses: found, expiresAtMilliseconds: loop.nowMilliseconds + Self.cacheMilliseconds)
        }
        for index in found.indices { found[index].port = port }
        return found
    }

    /// Asks again next time: the address was of no use.
    package func forget(_ host: String) { cache[host] = nil }
}

private final class Lookup {
    private let continuation: CheckedContinuation<[SocketAddress], any Error>
    private var host = ""

    init(_ continuation: CheckedContinuation<[SocketAddress], any Error>) { self.continuation = continuation }

    func start(_ loop: EventLoop, _ host: String) {
        self.host = host
        let request = UnsafeMutablePointer<uv_getaddrinfo_t>.allocate(capacity: 1)
        request.initialize(to: uv_getaddrinfo_t())
        // Released by `onResolved`, which libuv calls once unless starting fails.
        request.pointee.data = Unmanaged.passRetained(self).toOpaque()
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        let status = uv_getaddrinfo(loop.uv, request, onResolved, host, nil, &hints)
        guard status != 0 else { return }
        Unmanaged.passUnretained(self).release()
        request.deallocate()
        continuation.resume(throwing: TCPError(status, "find the address of \(host)"))
    }

    func resolved(_ status: Int32, _ list: UnsafeMutablePointer<addrinfo>?) {
        var addresses: [SocketAddress] = []
        var next = list
        while let item = next {
            if let address = item.pointee.ai_addr.flatMap({ SocketAddress(copying: $0) }) { addresses.append(address) }
            next = item.pointee.ai_next
        }
        if addresses.isEmpty {
            let code = status == 0 ? UV_EAI_NONAME.rawValue : status
            continuation.resume(throwing: TCPError(code, "find the address of \(host)"))
        } else {
            continuation.resume(returning: addresses)
        }
    }
}

private func onResolved(
    _ request: UnsafeMutablePointer<uv_getaddrinfo_t>?, _ status: Int32, _ list: UnsafeMutablePointer<addrinfo>?
) {
    defer { uv_freeaddrinfo(list) }
    guard let request, let data = request.pointee.data else { return }
    request.deallocate()
    Unmanaged<Lookup>.fromOpaque(data).takeRetainedValue().resolved(status, list)
}
