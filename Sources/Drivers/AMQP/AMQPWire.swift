internal import CLibRabbitMQ
internal import Glibc

/// Values between Swift and rabbitmq-c: bytes are lent for one call, and copied on the way in.
final class AMQPArena {
    private var allocations: [UnsafeMutableRawPointer] = []

    deinit { for pointer in allocations { free(pointer) } }

    func bytes(_ text: String) -> amqp_bytes_t { bytes(Array(text.utf8)) }

    func bytes(_ source: [UInt8]) -> amqp_bytes_t {
        guard !source.isEmpty, let memory = malloc(source.count) else { return amqp_bytes_t(len: 0, bytes: nil) }
        source.withUnsafeBytes {
            memory.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(memory), byteCount: source.count)
        }
        allocations.append(memory)
        return amqp_bytes_t(len: source.count, bytes: memory)
    }

    func table(_ values: [String: AMQPValue]) -> amqp_table_t {
        guard !values.isEmpty, let memory = malloc(values.count * MemoryLayout<amqp_table_entry_t>.stride) else {
            return amqp_table_t(num_entries: 0, entries: nil)
        }
        allocations.append(memory)
        let entries = memory.bindMemory(to: amqp_table_entry_t.self, capacity: values.count)
        for (index, (name, value)) in values.sorted(by: { $0.key < $1.key }).enumerated() {
            var entry = amqp_table_entry_t()
            entry.key = bytes(name)
            switch value {
            case .string(let text):
                entry.value.kind = UInt8(AMQP_FIELD_KIND_UTF8.rawValue)
                entry.value.value.bytes = bytes(text)
            case .integer(let number):
                entry.value.kind = UInt8(AMQP_FIELD_KIND_I64.rawValue)
                entry.value.value.i64 = number
            case .bool(let flag):
                entry.value.kind = UInt8(AMQP_FIELD_KIND_BOOLEAN.rawValue)
                entry.value.value.boolean = flag ? 1 : 0
            }
            entries[index] = entry
        }
        return amqp_table_t(num_entries: Int32(values.count), entries: entries)
    }
}

enum AMQPWire {
    static func text(_ bytes: amqp_bytes_t) -> String {
        String(decoding: UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len), as: UTF8.self)
    }

    static func bytes(_ bytes: amqp_bytes_t) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len))
    }

    static func values(_ table: amqp_table_t) -> [String: AMQPValue] {
        var values: [String: AMQPValue] = [:]
        for index in 0..<Int(table.num_entries) {
            let entry = table.entries[index]
            let value: AMQPValue? =
                switch UInt32(entry.value.kind) {
                case AMQP_FIELD_KIND_UTF8.rawValue, AMQP_FIELD_KIND_BYTES.rawValue:
                    .string(text(entry.value.value.bytes))
                case AMQP_FIELD_KIND_I64.rawValue: .integer(entry.value.value.i64)
                case AMQP_FIELD_KIND_I32.rawValue: .integer(Int64(entry.value.value.i32))
                case AMQP_FIELD_KIND_BOOLEAN.rawValue: .bool(entry.value.value.boolean != 0)
                default: nil
                }
            if let value { values[text(entry.key)] = value }
        }
        return values
    }

    static func message(_ message: amqp_message_t) -> AMQPMessage {
        let properties = message.properties
        func has(_ flag: Int32) -> Bool { properties._flags & UInt32(flag) != 0 }
        var result = AMQPMessage(
            messageID: has(AMQP_BASIC_MESSAGE_ID_FLAG) ? text(properties.message_id) : "",
            headers: has(AMQP_BASIC_HEADERS_FLAG) ? values(properties.headers) : [:], body: bytes(message.body))
        if has(AMQP_BASIC_CORRELATION_ID_FLAG) { result.correlationID = text(properties.correlation_id) }
        if has(AMQP_BASIC_TYPE_FLAG) { result.type = text(properties.type) }
        if has(AMQP_BASIC_CONTENT_TYPE_FLAG) { result.contentType = text(properties.content_type) }
        if has(AMQP_BASIC_TIMESTAMP_FLAG) { result.timestamp = properties.timestamp }
        return result
    }

    static func properties(_ message: AMQPMessage, _ arena: AMQPArena) -> amqp_basic_properties_t {
        var properties = amqp_basic_properties_t()
        var flags =
            AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_CONTENT_TYPE_FLAG
            | AMQP_BASIC_HEADERS_FLAG
        properties.delivery_mode = 2
        properties.message_id = arena.bytes(message.messageID)
        properties.content_type = arena.bytes(message.contentType)
        properties.headers = arena.table(message.headers)
        if let correlation = message.correlationID {
            flags |= AMQP_BASIC_CORRELATION_ID_FLAG
            properties.correlation_id = arena.bytes(correlation)
        }
        if let type = message.type {
            flags |= AMQP_BASIC_TYPE_FLAG
            properties.type = arena.bytes(type)
        }
        if let timestamp = message.timestamp {
            flags |= AMQP_BASIC_TIMESTAMP_FLAG
            properties.timestamp = timestamp
        }
        properties._flags = UInt32(flags)
        return properties
    }
}
