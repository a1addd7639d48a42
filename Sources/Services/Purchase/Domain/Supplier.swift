package import Models

/// Whom goods are bought from.
package struct Supplier: Model {
    package var base = Base()
    package var code = ""
    package var name = ""
    package var email: String?
    package var phone: String?
    package var paymentDays = 30
    package var isActive = true

    package init() {}

    package static let schema = Schema<Supplier>("suppliers") {
        Field("code", \.code, .code, .unique, .searchable, about: "The company's own short name of the supplier.")
        Field("name", \.name, .line(1...200), .searchable, .indexed)
        Field("email", \.email, .email, .sensitive)
        Field("phone", \.phone, .line(1...40), .sensitive)
        Field("payment_days", \.paymentDays, .range(0...365), .defaulted, about: "Days until an invoice is due.")
        Field("is_active", \.isActive, .defaulted)
    }
}
