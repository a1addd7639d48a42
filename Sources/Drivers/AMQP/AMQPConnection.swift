internal import CLibRabbitMQ
internal import Glibc

/// One connection to the broker, used by one thread: rabbitmq-c is not safe to share.
///
/// Channel 1 publishes with confirms, channel 2 declares and consumes, channel 3 looks into queues: what is wrong on
/// one does not close the others.
final class AMQPConnection {
    static let publishChannel: amqp_channel_t = 1
    static let consumeChannel: amqp_channel_t = 2
    static let inspectChannel: amqp_channel_t = 3

    /// What the broker said.
    enum Event {
        case delivery(AMQPDelivery, tag: UInt64)
        /// A delivery with a body beyond `maxBodyBytes`; it was not read.
        case tooLong(queue: String, tag: UInt64)
        case confirmed(tag: UInt64, multiple: Bool, isAccepted: Bool)
        case returned(messageID: String, reason: String)
        /// The broker closed the publishing channel; it can be opened again.
        case publishingRefused(reason: String)
        /// The broker takes no messages for now (a resource alarm), or does again.
        case blocked(reason: String)
        case unblocked
    }

    /// A message on its way in: method, then header, then body.
    private struct Partial {
        enum Kind {
            case delivery(consumerTag: String, tag: UInt64, isRedelivered: Bool)
            case returned(reason: String)
        }
        let kind: Kind
        let exchange: String
        let routingKey: String
        var message: AMQPMessage?
        var missingBytes: UInt64 = 0
        var isTooLong = false
    }

    private let state: amqp_connection_state_t
    private let arena = AMQPArena()
    private var queuesByTag: [String: String] = [:]
    private var partials: [amqp_channel_t: Partial] = [:]
    private var isInspectChannelOpen = false

    /// Longest body that is read; longer messages are rejected.
    private static let maxBodyBytes: UInt64 = 16 * 1024 * 1024
    /// For each answer of the broker to a declaration and the like.
    private static let answerTimeoutSeconds = 10
    private static let closeTimeoutSeconds = 2

    /// Connects, logs in and opens the channels.
    init(address: AMQPAddress, configuration: AMQPClient.Configuration) throws(AMQPError) {
        guard let state = amqp_new_connection() else { throw .connection("out of memory") }
        self.state = state
        guard let socket = amqp_tcp_socket_new(state) else { throw .connection("out of memory") }
        var answerTimeout = timeval(tv_sec: Self.answerTimeoutSeconds, tv_usec: 0)
        amqp_set_handshake_timeout(state, &answerTimeout)
        amqp_set_rpc_timeout(state, &answerTimeout)
        let milliseconds = configuration.connectTimeoutMilliseconds
        var timeout = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
        let opened = amqp_socket_open_noblock(socket, address.host, Int32(address.port), &timeout)
        guard opened == 0 else { throw .connection("\(address.host):\(address.port): \(Self.words(opened))") }
        var properties = arena.table(
            ["connection_name": .string(configuration.connectionName), "product": .string("vitrine")],
            nested: [
                "capabilities": [
                    "basic.nack": .bool(true), "connection.blocked": .bool(true),
                    "consumer_cancel_notify": .bool(true), "publisher_confirms": .bool(true),
                ]
            ])
        try check(
            vitrine_amqp_login(
                state, address.virtualHost, Int32(configuration.heartbeatSeconds), &properties, address.user,
                address.password), "login to \(address.host):\(address.port)")
        try openPublishChannel()
        try open(Self.consumeChannel)
        amqp_basic_qos(state, Self.consumeChannel, 0, UInt16(clamping: configuration.prefetch), 0)
        try checkLast("basic.qos")
    }

    deinit { amqp_destroy_connection(state) }

    var descriptor: Int32 { amqp_get_sockfd(state) }

    private func open(_ channel: amqp_channel_t) throws(AMQPError) {
        amqp_channel_open(state, channel)
        try checkLast("channel.open")
    }

    /// Opens the publishing channel, at first or after `publishingRefused`. Its delivery tags start at 1.
    func openPublishChannel() throws(AMQPError) {
        try open(Self.publishChannel)
        amqp_confirm_select(state, Self.publishChannel)
        try checkLast("confirm.select")
    }

    // MARK: Topology

    func declare(_ topology: AMQPTopology) throws(AMQPError) {
        for exchange in topology.exchanges {
            arena.reset()
            amqp_exchange_declare(
                state, Self.consumeChannel, arena.bytes(exchange.name), arena.bytes(exchange.type), 0, 1, 0, 0,
                AMQPArena.emptyTable)
            try checkLast("exchange.declare \(exchange.name)")
        }
        for queue in topology.queues {
            arena.reset()
            amqp_queue_declare(
                state, Self.consumeChannel, arena.bytes(queue.name), 0, 1, 0, 0, arena.table(queue.arguments))
            try checkLast("queue.declare \(queue.name)")
        }
        for binding in topology.bindings {
            arena.reset()
            amqp_queue_bind(
                state, Self.consumeChannel, arena.bytes(binding.queue), arena.bytes(binding.exchange),
                arena.bytes(binding.routingKey), AMQPArena.emptyTable)
            try checkLast("queue.bind \(binding.queue)")
        }
    }

    func consume(_ queue: String) throws(AMQPError) {
        arena.reset()
        let tag = "consumer-\(queuesByTag.count + 1)"
        queuesByTag[tag] = queue
        amqp_basic_consume(
            state, Self.consumeChannel, arena.bytes(queue), arena.bytes(tag), 0, 0, 0, AMQPArena.emptyTable)
        try checkLast("basic.consume \(queue)")
    }

    /// Stops deliveries; those under way can still be settled.
    func cancelConsumers() throws(AMQPError) {
        for tag in queuesByTag.keys {
            arena.reset()
            amqp_basic_cancel(state, Self.consumeChannel, arena.bytes(tag))
            try checkLast("basic.cancel")
        }
    }

    // MARK: Sending

    /// Publishes with the mandatory flag: what no queue takes comes back.
    func publish(_ message: AMQPMessage, exchange: String, routingKey: String) throws(AMQPError) {
        arena.reset()
        var properties = arena.properties(message)
        let result = message.body.withUnsafeBytes { body in
            amqp_basic_publish(
                state, Self.publishChannel, arena.bytes(exchange), arena.bytes(routingKey), 1, 0, &properties,
                amqp_bytes_t(len: body.count, bytes: UnsafeMutableRawPointer(mutating: body.baseAddress)))
        }
        try check(result, "basic.publish")
    }

    func settle(_ tag: UInt64, _ disposition: AMQPDisposition) throws(AMQPError) {
        let result =
            switch disposition {
            case .acknowledge: amqp_basic_ack(state, Self.consumeChannel, tag, 0)
            case .requeue: amqp_basic_nack(state, Self.consumeChannel, tag, 0, 1)
            case .reject: amqp_basic_nack(state, Self.consumeChannel, tag, 0, 0)
            }
        try check(result, "settling a delivery")
    }

    // MARK: Receiving

    /// Takes the next event that has arrived; nil when there is none. Also sends heartbeats when they are due.
    /// - Throws: `AMQPError.connection` when the connection is lost, or no use any more.
    func next() throws(AMQPError) -> Event? {
        while true {
            amqp_maybe_release_buffers(state)
            var frame = amqp_frame_t()
            var now = timeval(tv_sec: 0, tv_usec: 0)
            let result = amqp_simple_wait_frame_noblock(state, &frame, &now)
            if result == AMQP_STATUS_TIMEOUT.rawValue { return nil }
            try check(result, "receiving")
            if let event = try take(frame) { return event }
        }
    }

    private func take(_ frame: amqp_frame_t) throws(AMQPError) -> Event? {
        switch Int32(frame.frame_type) {
        case AMQP_FRAME_METHOD: return try take(frame.payload.method, on: frame.channel)
        case AMQP_FRAME_HEADER:
            guard let properties = frame.payload.properties.decoded else { return nil }
            let size = frame.payload.properties.body_size
            var message = AMQPWire.message(properties.assumingMemoryBound(to: amqp_basic_properties_t.self).pointee)
            partials[frame.channel]?.missingBytes = size
            if size > Self.maxBodyBytes {
                partials[frame.channel]?.isTooLong = true
            } else {
                message.body.reserveCapacity(Int(size))
            }
            partials[frame.channel]?.message = message
        case AMQP_FRAME_BODY:
            let fragment = frame.payload.body_fragment
            guard let missing = partials[frame.channel]?.missingBytes, missing >= UInt64(fragment.len) else {
                throw .connection("the broker sent a body that nobody expects")
            }
            partials[frame.channel]?.missingBytes = missing - UInt64(fragment.len)
            if partials[frame.channel]?.isTooLong == false {
                partials[frame.channel]?.message?.body.append(contentsOf: AMQPWire.buffer(fragment))
            }
        default: return nil
        }
        return complete(on: frame.channel)
    }

    /// The event of a message that is there to its last byte.
    private func complete(on channel: amqp_channel_t) -> Event? {
        guard let partial = partials[channel], partial.missingBytes == 0, let message = partial.message else {
            return nil
        }
        partials[channel] = nil
        switch partial.kind {
        case .returned(let reason): return .returned(messageID: message.messageID, reason: reason)
        case .delivery(let consumerTag, let tag, let isRedelivered):
            let queue = queuesByTag[consumerTag] ?? ""
            if partial.isTooLong { return .tooLong(queue: queue, tag: tag) }
            let delivery = AMQPDelivery(
                message: message, queue: queue, exchange: partial.exchange, routingKey: partial.routingKey,
                isRedelivered: isRedelivered)
            return .delivery(delivery, tag: tag)
        }
    }

    private func take(_ method: amqp_method_t, on channel: amqp_channel_t) throws(AMQPError) -> Event? {
        // Safety: rabbitmq-c decodes each method into the struct of its number.
        func decoded<T>(_ type: T.Type) -> T { method.decoded.assumingMemoryBound(to: type).pointee }
        switch Int64(method.id) {
        case Int64(AMQP_BASIC_DELIVER_METHOD):
            let deliver = decoded(amqp_basic_deliver_t.self)
            partials[channel] = Partial(
                kind: .delivery(
                    consumerTag: AMQPWire.text(deliver.consumer_tag), tag: deliver.delivery_tag,
                    isRedelivered: deliver.redelivered != 0),
                exchange: AMQPWire.text(deliver.exchange), routingKey: AMQPWire.text(deliver.routing_key))
        case Int64(AMQP_BASIC_RETURN_METHOD):
            let returned = decoded(amqp_basic_return_t.self)
            partials[channel] = Partial(
                kind: .returned(reason: AMQPWire.text(returned.reply_text)), exchange: "", routingKey: "")
        case Int64(AMQP_BASIC_ACK_METHOD):
            let ack = decoded(amqp_basic_ack_t.self)
            return .confirmed(tag: ack.delivery_tag, multiple: ack.multiple != 0, isAccepted: true)
        case Int64(AMQP_BASIC_NACK_METHOD):
            let nack = decoded(amqp_basic_nack_t.self)
            return .confirmed(tag: nack.delivery_tag, multiple: nack.multiple != 0, isAccepted: false)
        case Int64(AMQP_CHANNEL_CLOSE_METHOD):
            let reason = AMQPWire.text(decoded(amqp_channel_close_t.self).reply_text)
            guard channel == Self.publishChannel else { throw .connection("the broker closed a channel: \(reason)") }
            partials[channel] = nil
            try acceptClose(of: channel)
            return .publishingRefused(reason: reason)
        case Int64(AMQP_CONNECTION_CLOSE_METHOD):
            let close = decoded(amqp_connection_close_t.self)
            throw .connection("the broker closed the connection: \(AMQPWire.text(close.reply_text))")
        case Int64(AMQP_CONNECTION_BLOCKED_METHOD):
            return .blocked(reason: AMQPWire.text(decoded(amqp_connection_blocked_t.self).reason))
        case Int64(AMQP_CONNECTION_UNBLOCKED_METHOD): return .unblocked
        case Int64(AMQP_BASIC_CANCEL_METHOD):
            throw .connection("a queue that is consumed was deleted")
        default: break
        }
        return nil
    }

    private func acceptClose(of channel: amqp_channel_t) throws(AMQPError) {
        var ok = amqp_channel_close_ok_t()
        try check(
            amqp_send_method(state, channel, amqp_method_number_t(AMQP_CHANNEL_CLOSE_OK_METHOD), &ok),
            "channel.close-ok")
    }

    // MARK: Looking into queues

    /// How many messages are ready in a queue.
    /// - Throws: `AMQPError.refused` when there is no such queue.
    func messageCount(of queue: String) throws(AMQPError) -> Int {
        try openInspectChannel()
        let answer = amqp_queue_declare(
            state, Self.inspectChannel, arena.bytes(queue), 1, 1, 0, 0, AMQPArena.emptyTable)
        try checkInspection(amqp_get_rpc_reply(state), "queue.declare \(queue)")
        return Int(answer?.pointee.message_count ?? 0)
    }

    /// The message at the head of a queue, or nil; it stays there (marked as redelivered) or is gone.
    func get(_ queue: String, then disposition: AMQPDisposition) throws(AMQPError) -> AMQPDelivery? {
        try openInspectChannel()
        let reply = amqp_basic_get(state, Self.inspectChannel, arena.bytes(queue), 0)
        try checkInspection(reply, "basic.get \(queue)")
        guard reply.reply.id == amqp_method_number_t(AMQP_BASIC_GET_OK_METHOD), let decoded = reply.reply.decoded else {
            return nil
        }
        let got = decoded.assumingMemoryBound(to: amqp_basic_get_ok_t.self).pointee
        let (exchange, routingKey) = (AMQPWire.text(got.exchange), AMQPWire.text(got.routing_key))
        var raw = amqp_message_t()
        try check(amqp_read_message(state, Self.inspectChannel, &raw, 0), "basic.get \(queue)")
        defer { amqp_destroy_message(&raw) }
        var message = AMQPWire.message(raw.properties)
        message.body = Array(AMQPWire.buffer(raw.body))
        let result =
            disposition == .requeue
            ? amqp_basic_nack(state, Self.inspectChannel, got.delivery_tag, 0, 1)
            : amqp_basic_ack(state, Self.inspectChannel, got.delivery_tag, 0)
        try check(result, "settling a message")
        return AMQPDelivery(
            message: message, queue: queue, exchange: exchange, routingKey: routingKey,
            isRedelivered: got.redelivered != 0)
    }

    private func openInspectChannel() throws(AMQPError) {
        arena.reset()
        guard !isInspectChannelOpen else { return }
        try open(Self.inspectChannel)
        isInspectChannelOpen = true
    }

    private func checkInspection(_ reply: amqp_rpc_reply_t, _ what: String) throws(AMQPError) {
        guard reply.reply_type != AMQP_RESPONSE_NORMAL else { return }
        let error = Self.error(reply, what)
        if reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION,
            reply.reply.id == amqp_method_number_t(AMQP_CHANNEL_CLOSE_METHOD)
        {
            isInspectChannelOpen = false
            try acceptClose(of: Self.inspectChannel)
            if case .connection(let what) = error { throw .refused(what) }
        }
        throw error
    }

    // MARK: The end and errors

    /// Says goodbye, and waits a moment for the answer.
    func close() {
        var timeout = timeval(tv_sec: Self.closeTimeoutSeconds, tv_usec: 0)
        amqp_set_rpc_timeout(state, &timeout)
        amqp_connection_close(state, AMQP_REPLY_SUCCESS)
    }

    private func check(_ result: Int32, _ what: String) throws(AMQPError) {
        if result != 0 { throw .connection("\(what): \(Self.words(result))") }
    }

    private func check(_ reply: amqp_rpc_reply_t, _ what: String) throws(AMQPError) {
        if reply.reply_type != AMQP_RESPONSE_NORMAL { throw Self.error(reply, what) }
    }

    private func checkLast(_ what: String) throws(AMQPError) { try check(amqp_get_rpc_reply(state), what) }

    private static func words(_ result: Int32) -> String { String(cString: amqp_error_string2(result)) }

    private static func error(_ reply: amqp_rpc_reply_t, _ what: String) -> AMQPError {
        if reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION {
            return .connection("\(what): \(words(reply.library_error))")
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
