package import Telemetry

/// Puts encoded spans into OTLP `ExportTraceServiceRequest` messages (OTLP 1.11, protobuf), a `ResourceSpans` for each
/// service, and log records into `ExportLogsServiceRequest` messages, which are built alike. Confined to its owner; its
/// buffer and the services' resources are kept from batch to batch.
package final class OTLPBatchEncoder {
    private var buffer = ByteBuffer(capacity: 64 * 1024)
    private var resources: [(head: [UInt8], reference: ServiceResourceReference)?] = []
    private let queue: EncodedQueue
    private let scope = OTLPScope.message

    /// What the buffer keeps between batches.
    private static let keptBytes = 1024 * 1024

    /// - Parameter queue: whose batches are encoded.
    package init(_ queue: EncodedQueue) { self.queue = queue }

    /// Calls `body` with the request of a batch; the bytes must not escape.
    package func withRequest<R>(_ batch: EncodedBatch, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        buffer.removeAll()
        buffer.shrink(to: Self.keptBytes)
        buffer.reserve(batch.byteCount + Self.keptBytes / 64)
        for (resource, byteCount) in Self.sizes(batch) { append(resource, byteCount, batch) }
        return try buffer.withBytes(body)
    }

    /// The bytes of every resource's items, in the order in which the resources came.
    private static func sizes(_ batch: EncodedBatch) -> [(resource: UInt32, byteCount: Int)] {
        var sizes: [(resource: UInt32, byteCount: Int)] = []
        for chunk in batch.chunks {
            chunk.forEach { resource, item in
                if let index = sizes.firstIndex(where: { $0.resource == resource }) {
                    sizes[index].byteCount += item.count
                } else {
                    sizes.append((resource, item.count))
                }
            }
        }
        return sizes
    }

    /// Field 1: `ResourceSpans` with one `ScopeSpans`, or their sisters.
    private func append(_ number: UInt32, _ byteCount: Int, _ batch: EncodedBatch) {
        let head = head(number)
        let scopeLength = scope.count + byteCount
        let length = head.count + 1 + ByteBuffer.varintLength(UInt64(scopeLength)) + scopeLength
        buffer.appendMessageHead(1, length: length)
        buffer.append(head)
        buffer.appendMessageHead(2, length: scopeLength)
        buffer.append(scope)
        for chunk in batch.chunks {
            chunk.forEach { resource, item in
                if resource == number, let address = item.baseAddress {
                    buffer.append(address, count: item.count)
                }
            }
        }
    }

    /// Field 1 of `ResourceSpans`.
    private func head(_ number: UInt32) -> [UInt8] {
        let index = Int(number)
        while resources.count <= index { resources.append(nil) }
        if let known = resources[index] { return known.head }
        let reference = queue.resource(number)
        let head = OTLPScope.resourceField(reference.value)
        resources[index] = (head, reference)
        return head
    }
}

/// What every OTLP request says of who emits.
package enum OTLPScope {
    private static let name = "vitrine"

    /// Field 1 of `ScopeSpans`, `ScopeLogs` and `ScopeMetrics`: the `InstrumentationScope`.
    package static var message: [UInt8] {
        var message = ByteBuffer()
        message.appendMessage(1, expectedLengthBytes: 1) {
            $0.appendField(1, name)
            $0.appendField(2, SDKVersion.current)
        }
        return message.array()
    }

    /// Field 1 of `ResourceSpans`, `ResourceLogs` and `ResourceMetrics`: the `Resource`.
    package static func resourceField(_ resource: ServiceResource) -> [UInt8] {
        var message = ByteBuffer()
        message.appendMessage(1, expectedLengthBytes: 2) {
            $0.appendAttribute(1, "service.name", .string(resource.name))
            for attribute in resource.attributes { $0.appendAttribute(1, attribute) }
        }
        return message.array()
    }
}
