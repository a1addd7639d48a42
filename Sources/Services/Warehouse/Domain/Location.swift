package import Models

/// A place in the warehouse where goods lie.
package struct Location: Model {
    package var base = Base()
    package var code = ""
    package var name = ""

    package init() {}

    package static let schema = Schema<Location>("locations") {
        Field("code", \.code, .code, .unique, .searchable, about: "As it stands on the shelf.")
        Field("name", \.name, .line(1...200), .searchable)
    }

    /// The code of the location where goods lie that nobody has put anywhere else; made when it is needed.
    static let mainCode = "MAIN"
}
