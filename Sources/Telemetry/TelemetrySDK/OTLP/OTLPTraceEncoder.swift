package import Telemetry

/// Puts encoded spans into OTLP `ExportTraceServiceRequest` messages (OTLP 1.11, protobuf), a `ResourceSpans` for each
/// service. Confined to its owner; its buffer and the services' resources are kept from batch to batch.
package final class OTLPTraceEncoder {
    private var buffer = ByteBuffer(capacity: 64 * 1024)
    private var resources: [(head: [UInt8], reference: ServiceResourceReference)?] = []
    private let processor: BatchSpanProcessor
    private let scope = OTLPScope.message

    /// What the buffer keeps between batches.
    private static let keptBytes = 1024 * 1024

    /// - Parameter processor: whose batches are encoded.
    package init(_ processor: BatchSpanProcessor) { self.processor = processor }

    /// Calls `body` with the request of a batch; the bytes must not escape.
    package func withRequest<R>(_ batch: SpanBatch, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        buffer.removeAll()
        buffer.shrink(to: Self.keptBytes)
        buffer.reserve(batch.byteCount + Self.keptBytes / 64)
        for (resource, byteCount) in Self.sizes(batch) { append(resource, byteCount, batch) }
        return try buffer.withBytes(body)
    }

    /// The bytes of every resource's spans, in the order in which the resources came.
    private static func sizes(_ batch: SpanBatch) -> [(resource: UInt32, byteCount: Int)] {
        var sizes: [(resource: UInt32, byteCount: Int)] = []
        for chunk in batch.chunks {
            chunk.forEach { resource, span in
                if let index = sizes.firstIndex(where: { $0.resource == resource }) {
                    sizes[index].byteCount += span.count
                } else {
                    sizes.append((resource, span.count))
                }
            }
        }
        return sizes
    }

    /// Field 1: `ResourceSpans` with one `ScopeSpans`.
    private func append(_ number: UInt32, _ byteCount: Int, _ batch: SpanBatch) {
        let head = head(number)
        let scopeLength = scope.count + byteCount
        let length = head.count + 1 + ByteBuffer.varintLength(UInt64(scopeLength)) + scopeLength
        buffer.appendMessageHead(1, length: length)
        buffer.append(head)
        buffer.appendMessageHead(2, length: scopeLength)
        buffer.append(scope)
        for chunk in batch.chunks {
            chunk.forEach { resource, span in
                if resource == number, let address = span.baseAddress {
                    buffer.append(address, count: span.count)
                }
            }
        }
    }

    /// Field 1 of `ResourceSpans`.
    private func head(_ number: UInt32) -> [UInt8] {
        let index = Int(number)
        while resources.count <= index { resources.append(nil) }
        if let known = resources[index] { return known.head }
        let reference = processor.resource(number)
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
