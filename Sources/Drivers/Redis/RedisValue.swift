internal import CHiredis

/// A reply of Redis.
package enum RedisValue: Sendable, Hashable {
    case null
    case integer(Int64)
    case string([UInt8])
    case array([RedisValue])

    /// The UTF-8 text of a string or status reply, or an integer's digits; nil otherwise.
    package var text: String? {
        switch self {
        case .string(let bytes): String(decoding: bytes, as: UTF8.self)
        case .integer(let value): "\(value)"
        case .null, .array: nil
        }
    }
    package var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
    package var array: [RedisValue]? { if case .array(let value) = self { value } else { nil } }

    /// Copies a reply out of hiredis.
    /// - Throws: `RedisError.server` for an error reply.
    static func copy(_ reply: UnsafeMutablePointer<redisReply>) throws(RedisError) -> RedisValue {
        switch reply.pointee.type {
        case REDIS_REPLY_INTEGER: return .integer(reply.pointee.integer)
        case REDIS_REPLY_STRING, REDIS_REPLY_STATUS: return .string(bytes(reply))
        case REDIS_REPLY_ERROR: throw .server(withoutArguments(String(decoding: bytes(reply), as: UTF8.self)))
        case REDIS_REPLY_ARRAY:
            var values: [RedisValue] = []
            values.reserveCapacity(reply.pointee.elements)
            for index in 0..<reply.pointee.elements {
                guard let element = reply.pointee.element[index] else { continue }
                values.append(try copy(element))
            }
            return .array(values)
        default: return .null
        }
    }

    /// "unknown command" repeats the arguments of the command: they are left out.
    private static func withoutArguments(_ text: String) -> String {
        let words = text.split(separator: " ")
        guard let with = words.firstIndex(of: "args"), with > 0, words[with - 1] == "with" else { return text }
        return words[..<(with - 1)].joined(separator: " ")
    }

    private static func bytes(_ reply: UnsafeMutablePointer<redisReply>) -> [UInt8] {
        guard let text = reply.pointee.str else { return [] }
        return Array(UnsafeRawBufferPointer(start: text, count: reply.pointee.len))
    }
}

/// What went wrong with Redis. Descriptions never contain keys or values.
package enum RedisError: Error, Sendable, Hashable, CustomStringConvertible {
    case connection(String)
    /// Redis refused the command; its words start with a code such as `WRONGTYPE`.
    case server(String)
    case timedOut
    case tooManyWaiting
    case shutDown

    package var description: String {
        switch self {
        case .connection(let what): "Redis cannot be reached: \(what)"
        case .server(let what): "Redis refused a command: \(what)"
        case .timedOut: "Redis did not answer in time"
        case .tooManyWaiting: "too many commands wait for Redis"
        case .shutDown: "the Redis client has been stopped"
        }
    }

    /// A fixed word for `error.type`.
    package var type: String {
        switch self {
        case .connection: "connection"
        case .server(let text): text.split(separator: " ").first.map(String.init) ?? "ERR"
        case .timedOut: "timeout"
        case .tooManyWaiting: "too_many_waiting"
        case .shutDown: "shut_down"
        }
    }
}
