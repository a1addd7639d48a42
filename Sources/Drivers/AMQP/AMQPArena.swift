internal import CLibRabbitMQ

/// Memory that rabbitmq-c reads during one call: names, tables, properties. Reused for the next call.
final class AMQPArena {
    private let chunk: UnsafeMutableRawPointer = .allocate(byteCount: chunkBytes, alignment: alignment)
    private var used = 0
    /// What does not fit the chunk.
    private var extra: [UnsafeMutableRawPointer] = []

    private static let chunkBytes = 16 * 1024
    private static let alignment = 16

    deinit {
        reset()
        chunk.deallocate()
    }

    /// Gives everything back: what was made before may no longer be used.
    func reset() {
        used = 0
        for memory in extra { memory.deallocate() }
        extra.removeAll(keepingCapacity: true)
    }

    private func allocate(_ count: Int) -> UnsafeMutableRawPointer {
        let start = (used + Self.alignment - 1) & ~(Self.alignment - 1)
        if start + count <= Self.chunkBytes {
            used = start + count
            return chunk + start
        }
        let memory = UnsafeMutableRawPointer.allocate(byteCount: count, alignment: Self.alignment)
        extra.append(memory)
        return memory
    }

    func bytes(_ text: String) -> amqp_bytes_t {
        var text = text
        return text.withUTF8 { source in
            guard let base = source.baseAddress, !source.isEmpty else { return amqp_bytes_t(len: 0, bytes: nil) }
            let memory = allocate(source.count)
            memory.copyMemory(from: base, byteCount: source.count)
            return amqp_bytes_t(len: source.count, bytes: memory)
        }
    }

    func table(_ values: [String: AMQPValue], nested: [String: [String: AMQPValue]] = [:]) -> amqp_table_t {
        let count = values.count + nested.count
        guard count > 0 else { return Self.emptyTable }
        let entries = allocate(count * MemoryLayout<amqp_table_entry_t>.stride)
            .bindMemory(to: amqp_table_entry_t.self, capacity: count)
        var index = 0
        func add(_ name: String, _ fill: (inout amqp_field_value_t) -> Void) {
            var entry = amqp_table_entry_t()
            entry.key = bytes(name)
            fill(&entry.value)
            entries[index] = entry
            index += 1
        }
        for (name, value) in values {
            add(name) { field in
                switch value {
                case .string(let text):
                    field.kind = UInt8(AMQP_FIELD_KIND_UTF8.rawValue)
                    field.value.bytes = bytes(text)
                case .integer(let number):
                    field.kind = UInt8(AMQP_FIELD_KIND_I64.rawValue)
                    field.value.i64 = number
                case .bool(let flag):
                    field.kind = UInt8(AMQP_FIELD_KIND_BOOLEAN.rawValue)
                    field.value.boolean = flag ? 1 : 0
                }
            }
        }
        for (name, values) in nested {
            add(name) { field in
                field.kind = UInt8(AMQP_FIELD_KIND_TABLE.rawValue)
                field.value.table = table(values)
            }
        }
        return amqp_table_t(num_entries: Int32(count), entries: entries)
    }

    static var emptyTable: amqp_table_t { amqp_table_t(num_entries: 0, entries: nil) }

    /// A message's properties; every message is persistent.
    func properties(_ message: AMQPMessage) -> amqp_basic_properties_t {
        var properties = amqp_basic_properties_t()
        var flags =
            AMQP_BASIC_DELIVERY_MODE_FLAG | AMQP_BASIC_MESSAGE_ID_FLAG | AMQP_BASIC_CONTENT_TYPE_FLAG
            | AMQP_BASIC_HEADERS_FLAG
        properties.delivery_mode = 2
        properties.message_id = bytes(message.messageID)
        properties.content_type = bytes(message.contentType)
        properties.headers = table(message.headers)
        if let correlation = message.correlationID {
            flags |= AMQP_BASIC_CORRELATION_ID_FLAG
            properties.correlation_id = bytes(correlation)
        }
        if let type = message.type {
            flags |= AMQP_BASIC_TYPE_FLAG
            properties.type = bytes(type)
        }
        if let timestamp = message.timestamp {
            flags |= AMQP_BASIC_TIMESTAMP_FLAG
            properties.timestamp = timestamp
        }
        properties._flags = UInt32(flags)
        return properties
    }
}
