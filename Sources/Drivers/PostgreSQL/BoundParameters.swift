internal import CLibPQ
internal import Glibc

/// The values of a statement as libpq takes them: all texts in one buffer, each ended by a zero byte.
struct BoundParameters {
    private var bytes: [CChar] = []
    /// Where each text begins; negative for NULL.
    private var offsets: [Int] = []

    /// - Throws: `PostgreSQLError.invalidParameter` for a text that holds U+0000: the server cannot store it, and in a text
    ///   that ends with a zero byte all behind it would be lost without a word.
    init(_ parameters: [PostgreSQLParameter]) throws(PostgreSQLError) {
        offsets.reserveCapacity(parameters.count)
        for parameter in parameters {
            guard var text = parameter.text else {
                offsets.append(-1)
                continue
            }
            offsets.append(bytes.count)
            let holdsZero = text.withUTF8 { source in
                bytes.append(contentsOf: source.lazy.map { CChar(bitPattern: $0) })
                return source.baseAddress.map { memchr($0, 0, source.count) != nil } ?? false
            }
            if holdsZero { throw .invalidParameter("a text holds the character U+0000, which cannot be stored") }
            bytes.append(0)
        }
    }

    /// Sends the prepared statement of this name.
    /// - Returns: 1 when libpq took it.
    func send(_ handle: OpaquePointer, _ name: String) -> Int32 {
        withPointers { PQsendQueryPrepared(handle, name, Int32(offsets.count), $0, nil, nil, 0) }
    }

    /// Sends a statement that is not prepared.
    /// - Returns: 1 when libpq took it.
    func send(_ handle: OpaquePointer, text: String) -> Int32 {
        withPointers { PQsendQueryParams(handle, text, Int32(offsets.count), nil, $0, nil, nil, 0) }
    }

    private func withPointers(_ body: (UnsafePointer<UnsafePointer<CChar>?>?) -> Int32) -> Int32 {
        if offsets.isEmpty { return body(nil) }
        return bytes.withUnsafeBufferPointer { buffer in
            let pointers = offsets.map { offset -> UnsafePointer<CChar>? in
                offset < 0 ? nil : buffer.baseAddress.map { $0 + offset }
            }
            return pointers.withUnsafeBufferPointer { body($0.baseAddress) }
        }
    }
}
