/// The names of the OTLP messages that we send, by field number (opentelemetry-proto 1.11).
enum OTLPSchema {
    typealias Message = OTLPJSON.Message
    typealias Field = OTLPJSON.Field

    static let traces: Message = Message([1: Field("resourceSpans", .message { resourceSpans }, isRepeated: true)])
    static let metrics: Message = Message([1: Field("resourceMetrics", .message { resourceMetrics }, isRepeated: true)])
    static let logs: Message = Message([1: Field("resourceLogs", .message { resourceLogs }, isRepeated: true)])

    // MARK: Common

    private static let anyValue: Message = Message([
        1: Field("stringValue", .text), 2: Field("boolValue", .bool), 3: Field("intValue", .signed64),
        4: Field("doubleValue", .double), 5: Field("arrayValue", .message { arrayValue }),
        6: Field("kvlistValue", .message { keyValueList }), 7: Field("bytesValue", .base64),
    ])
    private static let arrayValue: Message = Message([1: Field("values", .message { anyValue }, isRepeated: true)])
    private static let keyValueList: Message = Message([1: attributes("values")])
    private static let keyValue: Message = Message([1: Field("key", .text), 2: Field("value", .message { anyValue })])
    private static let resource: Message = Message([1: attributes(), 2: Field("droppedAttributesCount", .number)])
    private static let scope: Message = Message([1: Field("name", .text), 2: Field("version", .text), 3: attributes()])

    private static func attributes(_ name: String = "attributes") -> Field {
        Field(name, .message { keyValue }, isRepeated: true)
    }

    // MARK: Traces

    private static let resourceSpans: Message = Message([
        1: Field("resource", .message { resource }),
        2: Field("scopeSpans", .message { scopeSpans }, isRepeated: true), 3: Field("schemaUrl", .text),
    ])
    private static let scopeSpans: Message = Message([
        1: Field("scope", .message { scope }), 2: Field("spans", .message { span }, isRepeated: true),
        3: Field("schemaUrl", .text),
    ])
    private static let span: Message = Message([
        1: Field("traceId", .hex), 2: Field("spanId", .hex), 3: Field("traceState", .text),
        4: Field("parentSpanId", .hex), 5: Field("name", .text), 6: Field("kind", .number),
        7: Field("startTimeUnixNano", .unsigned64), 8: Field("endTimeUnixNano", .unsigned64), 9: attributes(),
        10: Field("droppedAttributesCount", .number), 11: Field("events", .message { event }, isRepeated: true),
        12: Field("droppedEventsCount", .number), 13: Field("links", .message { link }, isRepeated: true),
        14: Field("droppedLinksCount", .number), 15: Field("status", .message { status }), 16: Field("flags", .number),
    ])
    private static let event: Message = Message([
        1: Field("timeUnixNano", .unsigned64), 2: Field("name", .text), 3: attributes(),
        4: Field("droppedAttributesCount", .number),
    ])
    private static let link: Message = Message([
        1: Field("traceId", .hex), 2: Field("spanId", .hex), 3: Field("traceState", .text), 4: attributes(),
        5: Field("droppedAttributesCount", .number), 6: Field("flags", .number),
    ])
    private static let status: Message = Message([2: Field("message", .text), 3: Field("code", .number)])

    // MARK: Logs

    private static let resourceLogs: Message = Message([
        1: Field("resource", .message { resource }), 2: Field("scopeLogs", .message { scopeLogs }, isRepeated: true),
        3: Field("schemaUrl", .text),
    ])
    private static let scopeLogs: Message = Message([
        1: Field("scope", .message { scope }), 2: Field("logRecords", .message { record }, isRepeated: true),
        3: Field("schemaUrl", .text),
    ])
    private static let record: Message = Message([
        1: Field("timeUnixNano", .unsigned64), 2: Field("severityNumber", .number), 3: Field("severityText", .text),
        5: Field("body", .message { anyValue }), 6: attributes(), 7: Field("droppedAttributesCount", .number),
        8: Field("flags", .number), 9: Field("traceId", .hex), 10: Field("spanId", .hex),
        11: Field("observedTimeUnixNano", .unsigned64), 12: Field("eventName", .text),
    ])

    // MARK: Metrics

    private static let resourceMetrics: Message = Message([
        1: Field("resource", .message { resource }),
        2: Field("scopeMetrics", .message { scopeMetrics }, isRepeated: true), 3: Field("schemaUrl", .text),
    ])
    private static let scopeMetrics: Message = Message([
        1: Field("scope", .message { scope }), 2: Field("metrics", .message { metric }, isRepeated: true),
        3: Field("schemaUrl", .text),
    ])
    private static let metric: Message = Message([
        1: Field("name", .text), 2: Field("description", .text), 3: Field("unit", .text),
        5: Field("gauge", .message { gauge }), 7: Field("sum", .message { sum }),
        9: Field("histogram", .message { histogram }),
        10: Field("exponentialHistogram", .message { exponentialHistogram }),
    ])
    private static let gauge: Message = Message([1: Field("dataPoints", .message { number }, isRepeated: true)])
    private static let sum: Message = Message([
        1: Field("dataPoints", .message { number }, isRepeated: true), 2: Field("aggregationTemporality", .number),
        3: Field("isMonotonic", .bool),
    ])
    private static let histogram: Message = Message([
        1: Field("dataPoints", .message { histogramPoint }, isRepeated: true),
        2: Field("aggregationTemporality", .number),
    ])
    private static let number: Message = Message([
        2: Field("startTimeUnixNano", .unsigned64), 3: Field("timeUnixNano", .unsigned64),
        4: Field("asDouble", .double),
        5: Field("exemplars", .message { exemplar }, isRepeated: true), 6: Field("asInt", .signed64), 7: attributes(),
        8: Field("flags", .number),
    ])
    private static let histogramPoint: Message = Message([
        2: Field("startTimeUnixNano", .unsigned64), 3: Field("timeUnixNano", .unsigned64),
        4: Field("count", .unsigned64),
        5: Field("sum", .double), 6: Field("bucketCounts", .unsigned64, isRepeated: true),
        7: Field("explicitBounds", .double, isRepeated: true),
        8: Field("exemplars", .message { exemplar }, isRepeated: true), 9: attributes(), 10: Field("flags", .number),
        11: Field("min", .double), 12: Field("max", .double),
    ])
    private static let exponentialHistogram: Message = Message([
        1: Field("dataPoints", .message { exponentialPoint }, isRepeated: true),
        2: Field("aggregationTemporality", .number),
    ])
    private static let exponentialPoint: Message = Message([
        1: attributes(), 2: Field("startTimeUnixNano", .unsigned64), 3: Field("timeUnixNano", .unsigned64),
        4: Field("count", .unsigned64), 5: Field("sum", .double), 6: Field("scale", .zigzag),
        7: Field("zeroCount", .unsigned64), 8: Field("positive", .message { buckets }),
        9: Field("negative", .message { buckets }), 10: Field("flags", .number),
        11: Field("exemplars", .message { exemplar }, isRepeated: true), 12: Field("min", .double),
        13: Field("max", .double), 14: Field("zeroThreshold", .double),
    ])
    private static let buckets: Message = Message([
        1: Field("offset", .zigzag), 2: Field("bucketCounts", .varint64, isRepeated: true),
    ])
    private static let exemplar: Message = Message([
        2: Field("timeUnixNano", .unsigned64), 3: Field("asDouble", .double), 4: Field("spanId", .hex),
        5: Field("traceId", .hex), 6: Field("asInt", .signed64), 7: attributes("filteredAttributes"),
    ])
}
