internal import HTTPCodec

/// The body of a request while it arrives.
struct HTTPIncomingBody {
    var decoder: HTTPBodyDecoder
    /// Where it goes; nil once it is dropped.
    var channel: HTTPBodyChannel?
    /// Whether the client waits for `100 Continue` before it sends.
    var awaitsContinue: Bool
    /// Bytes that are still to come, when the head told.
    var remainingBytes: Int?
    /// Bytes dropped since the response was complete.
    var discardedBytes = 0
}
