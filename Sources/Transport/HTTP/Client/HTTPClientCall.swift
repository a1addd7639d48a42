/// A request that was sent without a task, for the moment when nobody wants its response any more.
///
/// Safety (`@unchecked Sendable`): touched on the connection's loop only.
package final class HTTPClientCall: @unchecked Sendable {
    private let connection: HTTPClientConnection
    private let exchange: HTTPClientExchange
    /// Sends it once more.
    var resending: Task<Void, Never>?

    init(_ connection: HTTPClientConnection, _ exchange: HTTPClientExchange) {
        self.connection = connection
        self.exchange = exchange
    }

    /// Gives up waiting for the head of the response: `completion` gets a `CancellationError`. After it, does nothing.
    /// Loop thread only.
    package func cancel() {
        if let resending {
            resending.cancel()
        } else if exchange.receiver != nil {
            connection.fail(exchange, CancellationError())
        }
    }
}
