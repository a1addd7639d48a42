internal import CZlib

/// A gzip compressor (RFC 1952) that keeps its 400 KiB of state between bodies. Confined to its owner.
package final class Gzip {
    private var stream = z_stream()
    private let isReady: Bool

    /// Adds 16 to the window size: zlib's way to ask for the gzip frame.
    private static let gzipWindowBits: Int32 = 15 + 16
    /// 9 instead of 8 saves a tenth of the time on telemetry, for 128 KiB.
    private static let memoryLevel: Int32 = 9

    /// - Parameter level: 1 (fastest) to 9 (smallest).
    package init(level: Int32 = 1) {
        isReady =
            deflateInit2_(
                &stream, level, Z_DEFLATED, Self.gzipWindowBits, Self.memoryLevel, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size)) == Z_OK
    }

    deinit { if isReady { deflateEnd(&stream) } }

    /// The compressed body, or nil when zlib had no memory (the caller then sends it as it is).
    package func compress(_ body: UnsafeRawBufferPointer) -> [UInt8]? {
        guard isReady, deflateReset(&stream) == Z_OK, body.count <= Int(UInt32.max) / 2 else { return nil }
        let bound = Int(deflateBound(&stream, UInt(body.count)))
        var succeeded = false
        let result = [UInt8](unsafeUninitializedCapacity: bound) { output, count in
            // Safety: zlib reads `next_in` only, though its type says otherwise.
            stream.next_in = UnsafeMutablePointer(
                mutating: body.baseAddress?.assumingMemoryBound(to: UInt8.self))
            stream.avail_in = UInt32(body.count)
            stream.next_out = output.baseAddress
            stream.avail_out = UInt32(bound)
            succeeded = deflate(&stream, Z_FINISH) == Z_STREAM_END
            count = succeeded ? bound - Int(stream.avail_out) : 0
            stream.next_in = nil
            stream.next_out = nil
        }
        return succeeded ? result : nil
    }

    /// One body, with a compressor made for it.
    package static func compress(_ body: [UInt8], level: Int32 = 1) -> [UInt8]? {
        body.withUnsafeBytes { Gzip(level: level).compress($0) }
    }

    /// The body of a gzip member, or nil when it is none or is longer than `limit` bytes.
    package static func decompress(_ bytes: [UInt8], limit: Int) -> [UInt8]? {
        var stream = z_stream()
        guard
            inflateInit2_(&stream, gzipWindowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return nil }
        defer { inflateEnd(&stream) }
        var result: [UInt8] = []
        return bytes.withUnsafeBufferPointer { input in
            guard input.count <= Int(UInt32.max) / 2 else { return nil }
            // Safety: zlib reads `next_in` only, though its type says otherwise.
            stream.next_in = UnsafeMutablePointer(mutating: input.baseAddress)
            stream.avail_in = UInt32(input.count)
            while true {
                var status = Z_OK
                let piece = [UInt8](unsafeUninitializedCapacity: decompressedPieceBytes) { output, count in
                    stream.next_out = output.baseAddress
                    stream.avail_out = UInt32(output.count)
                    status = inflate(&stream, Z_NO_FLUSH)
                    count = output.count - Int(stream.avail_out)
                }
                result += piece
                guard result.count <= limit else { return nil }
                if status == Z_STREAM_END { return result }
                // Neither an error nor input that ends too early goes on.
                guard status == Z_OK, !piece.isEmpty || stream.avail_in > 0 else { return nil }
            }
        }
    }

    private static let decompressedPieceBytes = 64 * 1024
}
