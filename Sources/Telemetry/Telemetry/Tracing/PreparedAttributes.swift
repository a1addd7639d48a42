/// Attributes that many spans have alike (the route of requests, the peer of calls), encoded once: to set them all is one
/// copy of bytes.
package struct PreparedAttributes: Sendable {
    let attributes: [Attribute]
    /// As a span's record holds them.
    let bytes: [UInt8]
    let seenKeys: UInt64
    /// Without those whose key comes again.
    let count: Int

    /// - Parameter tracer: whose spans get them; its limits hold for them.
    package init(_ attributes: [Attribute], for tracer: Tracer) {
        self.attributes = attributes
        var record = SpanRecord()
        for attribute in attributes { record.set(attribute.key, attribute.value, tracer.limits) }
        bytes = record.body.array()
        seenKeys = record.seenKeys
        count = record.attributeCount
    }
}
