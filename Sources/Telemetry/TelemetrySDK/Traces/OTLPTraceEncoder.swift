package import Telemetry

/// Encodes spans as OTLP `ExportTraceServiceRequest` messages (OTLP 1.11, protobuf), a `ResourceSpans` for each
/// service. Confined to its owner; its buffer and the services' resources are kept from batch to batch.
package final class OTLPTraceEncoder {
    /// One request body with the number of spans in it.
    package struct Request: Sendable {
        package let body: [UInt8]
        package let spanCount: Int
    }

    /// Bytes of a request before compression. Collectors refuse from 20 MiB, the standard from 64 MiB.
    package static let maxRequestBytes = 4 * 1024 * 1024
    private static let scopeName = "vitrine"

    private var buffer = ByteBuffer(capacity: 64 * 1024)
    private var resources: [ObjectIdentifier: (reference: ServiceResourceReference, message: [UInt8])] = [:]

    package init() {}

    /// - Returns: the requests, and how many spans were too large for any request.
    package func encode(_ spans: [Span]) -> (requests: [Request], oversized: Int) {
        var requests: [Request] = []
        var oversized = 0
        var request = OpenRequest()
        for (resource, group) in Self.grouped(spans) {
            for span in group {
                if request.resource != ObjectIdentifier(resource) {
                    close(&request, keepRequest: true)
                    open(resource, &request)
                }
                let start = buffer.count
                append(span)
                if buffer.count - start > Self.maxRequestBytes / 2 {
                    buffer.count = start
                    oversized += 1
                    continue
                }
                request.spanCount += 1
                if buffer.count > Self.maxRequestBytes / 2 {
                    finish(&request, into: &requests)
                }
            }
        }
        finish(&request, into: &requests)
        return (requests, oversized)
    }

    private struct OpenRequest {
        var resource: ObjectIdentifier?
        var resourceMark: ByteBuffer.MessageMark?
        var scopeMark: ByteBuffer.MessageMark?
        var spanCount = 0
    }

    /// The spans by service, services and spans in the order in which they came.
    private static func grouped(_ spans: [Span]) -> [(ServiceResourceReference, [Span])] {
        var order: [ServiceResourceReference] = []
        var groups: [ObjectIdentifier: [Span]] = [:]
        for span in spans {
            let key = ObjectIdentifier(span.resource)
            if groups[key] == nil { order.append(span.resource) }
            groups[key, default: []].append(span)
        }
        return order.map { ($0, groups[ObjectIdentifier($0)] ?? []) }
    }

    private func open(_ resource: ServiceResourceReference, _ request: inout OpenRequest) {
        request.resource = ObjectIdentifier(resource)
        request.resourceMark = buffer.beginMessage(1, expectedLengthBytes: 3)
        buffer.appendField(1, message: message(of: resource))
        request.scopeMark = buffer.beginMessage(2, expectedLengthBytes: 3)
        buffer.appendMessage(1, expectedLengthBytes: 1) {
            $0.appendField(1, Self.scopeName)
            $0.appendField(2, SDKVersion.current)
        }
    }

    private func close(_ request: inout OpenRequest, keepRequest: Bool) {
        if let mark = request.scopeMark { buffer.endMessage(mark) }
        if let mark = request.resourceMark { buffer.endMessage(mark) }
        request.scopeMark = nil
        request.resourceMark = nil
        request.resource = nil
        if !keepRequest { request.spanCount = 0 }
    }

    private func finish(_ request: inout OpenRequest, into requests: inout [Request]) {
        let count = request.spanCount
        close(&request, keepRequest: false)
        // An envelope without spans is not sent.
        if count > 0 { requests.append(Request(body: buffer.array(), spanCount: count)) }
        buffer.removeAll()
        buffer.shrink(to: Self.maxRequestBytes / 4)
    }

    private func message(of resource: ServiceResourceReference) -> [UInt8] {
        if let known = resources[ObjectIdentifier(resource)] { return known.message }
        var message = ByteBuffer()
        message.appendAttribute(1, "service.name", .string(resource.value.name))
        for attribute in resource.value.attributes { message.appendAttribute(1, attribute) }
        let bytes = message.array()
        resources[ObjectIdentifier(resource)] = (resource, bytes)
        return bytes
    }

    // MARK: Span

    /// Field 2 of `ScopeSpans`.
    private func append(_ span: Span) {
        let mark = buffer.beginMessage(2, expectedLengthBytes: 2)
        buffer.appendField(1, traceID: span.context.traceID)
        buffer.appendField(2, spanID: span.context.spanID)
        if !span.context.traceState.isEmpty { buffer.appendField(3, span.context.traceState) }
        if let parent = span.parent { buffer.appendField(4, spanID: parent.spanID) }
        buffer.appendField(5, span.name)
        buffer.appendField(6, varint: UInt64(span.kind.rawValue))
        buffer.appendField(7, fixed64: span.startWallNanoseconds)
        buffer.appendField(8, fixed64: span.endWallNanoseconds)
        for attribute in span.attributes { buffer.appendAttribute(9, attribute) }
        if span.droppedAttributes > 0 { buffer.appendField(10, varint: UInt64(span.droppedAttributes)) }
        for event in span.events { append(event) }
        if span.droppedEvents > 0 { buffer.appendField(12, varint: UInt64(span.droppedEvents)) }
        for link in span.links { append(link) }
        if span.droppedLinks > 0 { buffer.appendField(14, varint: UInt64(span.droppedLinks)) }
        switch span.status {
        case .unset: break
        case .ok: buffer.appendMessage(15, expectedLengthBytes: 1) { $0.appendField(3, varint: 1) }
        case .error(let description):
            buffer.appendMessage(15, expectedLengthBytes: 1) {
                if !description.isEmpty { $0.appendField(2, description) }
                $0.appendField(3, varint: 2)
            }
        }
        buffer.appendField(16, fixed32: Self.flags(span.context, isRemote: span.parent?.isRemote))
        buffer.endMessage(mark)
    }

    private func append(_ event: SpanEvent) {
        buffer.appendMessage(11, expectedLengthBytes: 1) {
            $0.appendField(1, fixed64: event.wallNanoseconds)
            $0.appendField(2, event.name)
            for attribute in event.attributes { $0.appendAttribute(3, attribute) }
        }
    }

    private func append(_ link: SpanLink) {
        buffer.appendMessage(13, expectedLengthBytes: 1) {
            $0.appendField(1, traceID: link.context.traceID)
            $0.appendField(2, spanID: link.context.spanID)
            if !link.context.traceState.isEmpty { $0.appendField(3, link.context.traceState) }
            for attribute in link.attributes { $0.appendAttribute(4, attribute) }
            $0.appendField(6, fixed32: Self.flags(link.context, isRemote: link.context.isRemote))
        }
    }

    /// Bits 0–7 are the W3C trace flags, bit 8 says that bit 9 (the other span is remote) is known.
    private static func flags(_ context: SpanContext, isRemote: Bool?) -> UInt32 {
        var flags: UInt32 = (context.isSampled ? 1 : 0) | (context.isRandom ? 2 : 0)
        if let isRemote { flags |= isRemote ? 0x300 : 0x100 }
        return flags
    }
}
