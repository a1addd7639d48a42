internal import CLibRabbitMQ

/// Copies what rabbitmq-c received into Swift values: its memory lives until the next frame only.
enum AMQPWire {
    static func text(_ bytes: amqp_bytes_t) -> String {
        String(decoding: buffer(bytes), as: UTF8.self)
    }

    /// The headers of kinds that anybody here writes or reads; others, such as the array `x-death`, are left out.
    static func values(_ table: amqp_table_t) -> [String: AMQPValue] {
        var values: [String: AMQPValue] = [:]
        for index in 0..<Int(table.num_entries) {
            let entry = table.entries[index]
            if let value = value(entry.value) { values[text(entry.key)] = value }
        }
        return values
    }

    private static func value(_ field: amqp_field_value_t) -> AMQPValue? {
        switch UInt32(field.kind) {
        case AMQP_FIELD_KIND_UTF8.rawValue, AMQP_FIELD_KIND_BYTES.rawValue: .string(text(field.value.bytes))
        case AMQP_FIELD_KIND_BOOLEAN.rawValue: .bool(field.value.boolean != 0)
        case AMQP_FIELD_KIND_I8.rawValue: .integer(Int64(field.value.i8))
        case AMQP_FIELD_KIND_U8.rawValue: .integer(Int64(field.value.u8))
        case AMQP_FIELD_KIND_I16.rawValue: .integer(Int64(field.value.i16))
        case AMQP_FIELD_KIND_U16.rawValue: .integer(Int64(field.value.u16))
        case AMQP_FIELD_KIND_I32.rawValue: .integer(Int64(field.value.i32))
        case AMQP_FIELD_KIND_U32.rawValue: .integer(Int64(field.value.u32))
        case AMQP_FIELD_KIND_I64.rawValue: .integer(field.value.i64)
        case AMQP_FIELD_KIND_U64.rawValue, AMQP_FIELD_KIND_TIMESTAMP.rawValue:
            Int64(exactly: field.value.u64).map { .integer($0) }
        default: nil
        }
    }

    /// A message without its body.
    static func message(_ properties: amqp_basic_properties_t) -> AMQPMessage {
        func has(_ flag: Int32) -> Bool { properties._flags & UInt32(flag) != 0 }
        var result = AMQPMessage(
            messageID: has(AMQP_BASIC_MESSAGE_ID_FLAG) ? text(properties.message_id) : "",
            headers: has(AMQP_BASIC_HEADERS_FLAG) ? values(properties.headers) : [:], body: [])
        if has(AMQP_BASIC_CORRELATION_ID_FLAG) { result.correlationID = text(properties.correlation_id) }
        if has(AMQP_BASIC_TYPE_FLAG) { result.type = text(properties.type) }
        if has(AMQP_BASIC_CONTENT_TYPE_FLAG) { result.contentType = text(properties.content_type) }
        if has(AMQP_BASIC_TIMESTAMP_FLAG) { result.timestamp = properties.timestamp }
        return result
    }

    /// The bytes themselves, to be copied at once.
    static func buffer(_ bytes: amqp_bytes_t) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len)
    }
}
