/// A body that refuses fields it does not know, so that no client can set what it should not even know of (mass
/// assignment). Only the body's own fields are checked, not those of values within it.
package protocol StrictKeys {
    /// The names of the fields in JSON.
    static var allowedKeys: [String] { get }
}

/// A body whose coding keys are all that it takes: `enum CodingKeys: String, CodingKey, CaseIterable`.
package protocol ClosedCodable: StrictKeys {
    associatedtype CodingKeys: CodingKey & CaseIterable
}

extension ClosedCodable {
    package static var allowedKeys: [String] { CodingKeys.allCases.map(\.stringValue) }
}
