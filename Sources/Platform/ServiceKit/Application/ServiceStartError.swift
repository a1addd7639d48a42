/// A service could not start: which one, what it was doing, why, and what to do.
package struct ServiceStartError: Error, CustomStringConvertible {
    package let service: String
    package let underlying: any Error
    private let step: String
    private let advice: String

    init(_ service: String, _ step: String, _ underlying: any Error, advice: String) {
        self.service = service
        self.step = step
        self.underlying = underlying
        self.advice = advice
    }

    package var description: String {
        let cause = (underlying as? any CustomStringConvertible)?.description ?? "\(underlying)"
        return "\(service) cannot start: \(step): \(cause)\(advice.isEmpty ? "" : "; " + advice)"
    }
}
