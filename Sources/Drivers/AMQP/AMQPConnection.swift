internal import CLibRabbitMQ
internal import Glibc

/// One connection to the broker, used by one thread: rabbitmq-c blocks and is not safe to share.
///
/// Channel 1 publishes with confirms, channel 2 consumes.
final class AMQPConnection {
    static let publishChannel: amqp_channel_t = 1
    static let consumeChannel: amqp_channel_t = 2

    /// What the broker said.
    enum Event {
        case delivery(AMQPDelivery, tag: UInt64)
        case confirmed(tag: UInt64, multiple: Bool, isAccepted: Bool)
        case returned(messageID: String, reason: String)
    }

    private let state: amqp_connection_state_t
    private var queuesByTag: [String: String] = [:]
    private var isClosed = false

    /// Connects, logs in and opens both channels.
    init(address: AMQPAddress, configuration: AMQPClient.Configuration) throws(AMQPError) {
        guard let state = amqp_new_connection() else { throw .connection("out of memory") }
        self.state = state
        guard let socket = amqp_tcp_socket_new(state) else {
            amqp_destroy_connection(state)
            throw .connection("out of memory")
        }
        do throws(AMQPError) {
            var timeout = timeval(
                tv_sec: configuration.connectTimeoutMilliseconds / 1000,
                tv_usec: configuration.connectTimeoutMilliseconds % 1000 * 1000)
            amqp_set_handshake_timeout(state, &timeout)
            amqp_set_rpc_timeout(state, &timeout)
            let opened = amqp_socket_open_noblock(socket, address.host, Int32(address.port), &timeout)
            guard opened == 0 else {
                throw .connection("\(address.host):\(address.port): \(String(cString: amqp_error_string2(opened)))")
            }
            let arena = AMQPArena()
            var properties = arena.table(["connection_name": .string(configuration.connectionName)])
            try Self.check(
                vitrine_amqp_login(
                    state, address.virtualHost, Int32(configuration.heartbeatSeconds), &properties, address.user,
                    address.password), "login")
            for channel in [Self.publishChannel, Self.consumeChannel] {
                amqp_channel_open(state, channel)
                try Self.check(amqp_get_rpc_reply(state), "channel.open")
            }
            amqp_confirm_select(state, Self.publishChannel)
            try Self.check(amqp_get_rpc_reply(state), "confirm.select")
            amqp_basic_qos(state, Self.consumeChannel, 0, UInt16(configuration.prefetch), 0)
            try Self.check(amqp_get_rpc_reply(state), "basic.qos")
        } catch {
            amqp_destroy_connection(state)
            isClosed = true
            throw error
        }
    }

    deinit { if !isClosed { amqp_destroy_connection(state) } }

    var descriptor: Int32 { amqp_get_sockfd(state) }

    // MARK: Topology

    func declare(_ topology: AMQPTopology) throws(AMQPError) {
        let arena = AMQPArena()
        let none = amqp_table_t(num_entries: 0, entries: nil)
        for exchange in topology.exchanges {
            amqp_exchange_declare(
                state, Self.consumeChannel, arena.bytes(exchange.name), arena.bytes(exchange.type), 0, 1, 0, 0, none)
            try Self.check(amqp_get_rpc_reply(state), "exchange.declare \(exchange.name)")
        }
        for queue in topology.queues {
            amqp_queue_declare(
                state, Self.consumeChannel, arena.bytes(queue.name), 0, 1, 0, 0, arena.table(queue.arguments))
            try Self.check(amqp_get_rpc_reply(state), "queue.declare \(queue.name)")
        }
        for binding in topology.bindings {
            amqp_queue_bind(
                state, Self.consumeChannel, arena.bytes(binding.queue), arena.bytes(binding.exchange),
                arena.bytes(binding.routingKey), none)
            try Self.check(amqp_get_rpc_reply(state), "queue.bind \(binding.queue)")
        }
    }

    func consume(_ queue: String) throws(AMQPError) {
        let arena = AMQPArena()
        let tag = "consumer-\(queuesByTag.count + 1)"
        amqp_basic_consume(
            state, Self.consumeChannel, arena.bytes(queue), arena.bytes(tag), 0, 0, 0,
            amqp_table_t(num_entries: 0, entries: nil))
        try Self.check(amqp_get_rpc_reply(state), "basic.consume \(queue)")
        queuesByTag[tag] = queue
    }

    /// Stops deliveries; those under way can still be settled.
    func cancelConsumers() {
        let arena = AMQPArena()
        for tag in queuesByTag.keys { amqp_basic_cancel(state, Self.consumeChannel, arena.bytes(tag)) }
    }

    // MARK: Sending

    func publish(_ message: AMQPMessage, exchange: String, routingKey: String) throws(AMQPError) {
        let arena = AMQPArena()
        var properties = AMQPWire.properties(message, arena)
        let result = amqp_basic_publish(
            state, Self.publishChannel, arena.bytes(exchange), arena.bytes(routingKey), 1, 0, &properties,
            arena.bytes(message.body))
        guard result == 0 else { throw .connection(String(cString: amqp_error_string2(result))) }
    }

    func settle(_ tag: UInt64, _ disposition: AMQPDisposition) throws(AMQPError) {
        let result =
            switch disposition {
            case .acknowledge: amqp_basic_ack(state, Self.consumeChannel, tag, 0)
            case .requeue: amqp_basic_nack(state, Self.consumeChannel, tag, 0, 1)
            case .reject: amqp_basic_nack(state, Self.consumeChannel, tag, 0, 0)
            }
        guard result == 0 else { throw .connection(String(cString: amqp_error_string2(result))) }
    }

    // MARK: Receiving

    /// Takes the next event that has arrived; nil when there is none. Also sends heartbeats when they are due.
    func next() throws(AMQPError) -> Event? {
        while true {
            amqp_maybe_release_buffers(state)
            var envelope = amqp_envelope_t()
            var now = timeval(tv_sec: 0, tv_usec: 0)
            let reply = amqp_consume_message(state, &envelope, &now, 0)
            if reply.reply_type == AMQP_RESPONSE_NORMAL {
                defer { amqp_destroy_envelope(&envelope) }
                let tag = AMQPWire.text(envelope.consumer_tag)
                let delivery = AMQPDelivery(
                    message: AMQPWire.message(envelope.message), queue: queuesByTag[tag] ?? "",
                    exchange: AMQPWire.text(envelope.exchange), routingKey: AMQPWire.text(envelope.routing_key),
                    isRedelivered: envelope.redelivered != 0)
                return .delivery(delivery, tag: envelope.delivery_tag)
            }
            if reply.library_error == AMQP_STATUS_TIMEOUT.rawValue { return nil }
            guard reply.library_error == AMQP_STATUS_UNEXPECTED_STATE.rawValue else {
                throw Self.error(reply, "receiving")
            }
            // A frame that is not a delivery: taken by itself.
            if let event = try nextMethod() { return event }
        }
    }

    private func nextMethod() throws(AMQPError) -> Event? {
        var frame = amqp_frame_t()
        var now = timeval(tv_sec: 0, tv_usec: 0)
        let result = amqp_simple_wait_frame_noblock(state, &frame, &now)
        if result == AMQP_STATUS_TIMEOUT.rawValue { return nil }
        guard result == 0 else { throw .connection(String(cString: amqp_error_string2(result))) }
        guard frame.frame_type == UInt8(AMQP_FRAME_METHOD) else { return nil }
        let method = frame.payload.method
        switch method.id {
        case amqp_method_number_t(AMQP_BASIC_ACK_METHOD):
            let ack = method.decoded.assumingMemoryBound(to: amqp_basic_ack_t.self).pointee
            return .confirmed(tag: ack.delivery_tag, multiple: ack.multiple != 0, isAccepted: true)
        case amqp_method_number_t(AMQP_BASIC_NACK_METHOD):
            let nack = method.decoded.assumingMemoryBound(to: amqp_basic_nack_t.self).pointee
            return .confirmed(tag: nack.delivery_tag, multiple: nack.multiple != 0, isAccepted: false)
        case amqp_method_number_t(AMQP_BASIC_RETURN_METHOD):
            let returned = method.decoded.assumingMemoryBound(to: amqp_basic_return_t.self).pointee
            let reason = AMQPWire.text(returned.reply_text)
            var message = amqp_message_t()
            try Self.check(amqp_read_message(state, frame.channel, &message, 0), "basic.return")
            defer { amqp_destroy_message(&message) }
            return .returned(messageID: AMQPWire.message(message).messageID, reason: reason)
        case amqp_method_number_t(AMQP_CHANNEL_CLOSE_METHOD):
            let close = method.decoded.assumingMemoryBound(to: amqp_channel_close_t.self).pointee
            throw .connection("channel closed: \(AMQPWire.text(close.reply_text))")
        case amqp_method_number_t(AMQP_CONNECTION_CLOSE_METHOD):
            let close = method.decoded.assumingMemoryBound(to: amqp_connection_close_t.self).pointee
            throw .connection("connection closed: \(AMQPWire.text(close.reply_text))")
        case amqp_method_number_t(AMQP_BASIC_CANCEL_METHOD):
            throw .connection("a queue that is consumed was deleted")
        default: return nil
        }
    }

    /// How many messages wait in a queue.
    func messageCount(of queue: String) throws(AMQPError) -> Int {
        let arena = AMQPArena()
        let answer = amqp_queue_declare(
            state, Self.consumeChannel, arena.bytes(queue), 1, 1, 0, 0, amqp_table_t(num_entries: 0, entries: nil))
        try Self.check(amqp_get_rpc_reply(state), "queue.declare \(queue)")
        return Int(answer?.pointee.message_count ?? 0)
    }

    /// Says goodbye; bounded by the time-out of calls.
    func close() {
        guard !isClosed else { return }
        isClosed = true
        amqp_connection_close(state, AMQP_REPLY_SUCCESS)
        amqp_destroy_connection(state)
    }

    // MARK: Errors

    private static func check(_ reply: amqp_rpc_reply_t, _ what: String) throws(AMQPError) {
        if reply.reply_type != AMQP_RESPONSE_NORMAL { throw error(reply, what) }
    }

    private static func error(_ reply: amqp_rpc_reply_t, _ what: String) -> AMQPError {
        if reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION {
            return .connection("\(what): \(String(cString: amqp_error_string2(reply.library_error)))")
        }
        guard let decoded = reply.reply.decoded else { return .connection("\(what): refused") }
        switch reply.reply.id {
        case amqp_method_number_t(AMQP_CHANNEL_CLOSE_METHOD):
            let close = decoded.assumingMemoryBound(to: amqp_channel_close_t.self).pointee
            return .connection("\(what): \(AMQPWire.text(close.reply_text))")
        case amqp_method_number_t(AMQP_CONNECTION_CLOSE_METHOD):
            let close = decoded.assumingMemoryBound(to: amqp_connection_close_t.self).pointee
            return .connection("\(what): \(AMQPWire.text(close.reply_text))")
        default: return .connection("\(what): refused")
        }
    }
}
