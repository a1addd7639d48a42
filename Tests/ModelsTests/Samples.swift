import Models
import ServiceKit
import Values

/// Models with a field of every type and every trait.
struct Shelf: Model {
    var base = Base()
    var label = ""
    init() {}
    static let schema = Schema<Shelf>("shelves") {
        Field("label", \.label, .code, .unique, .searchable)
    }
}

struct Gadget: Model {
    enum Colour: String, Choice { case red, green, blue }

    var base = Base()
    var code = ""
    var name = ""
    var notes: String?
    var count = 0
    var weight: Int?
    var price = Money.zero
    var discount: Money?
    var colour = Colour.red
    var shade: Colour?
    var isLive = true
    var isOdd: Bool?
    var madeAt = Timestamp(microseconds: 0)
    var soldAt: Timestamp?
    var shelfID: ID?
    var makerID = ID.none
    var contact: String?
    var pin: String?
    var checks = 0

    init() {}

    static let schema = Schema<Gadget>("gadgets") {
        Field("code", \.code, .code, .unique, .searchable)
        Field("name", \.name, .line(1...60), .searchable, .indexed)
        Field("notes", \.notes, .text(0...500), .searchable)
        Field("count", \.count, .range(-5...1_000_000))
        Field("weight", \.weight)
        Field("price", \.price, .notNegative)
        Field("discount", \.discount)
        Field("colour", \.colour, .defaulted)
        Field("shade", \.shade)
        Field("is_live", \.isLive, .defaulted)
        Field("is_odd", \.isOdd)
        Field("made_at", \.madeAt)
        Field("sold_at", \.soldAt)
        Field("shelf_id", \.shelfID, .references(Shelf.self))
        Field("maker_id", \.makerID, .createOnly)
        Field("contact", \.contact, .email, .sensitive)
        Field("pin", \.pin, .code, .hidden)
        Field("checks", \.checks, .readOnly)
    }
}

enum Samples {
    static let migrations = [
        Migration(
            1, "create_shelves", Array("-- up\n\(Shelf.schema.createTable)-- down\n\(Shelf.schema.dropTable)".utf8)),
        Migration(
            2, "create_gadgets", Array("-- up\n\(Gadget.schema.createTable)-- down\n\(Gadget.schema.dropTable)".utf8)),
    ]

    /// A service of both, anybody with a token reads, managers write.
    static let service = ServiceDefinition(
        name: "workshop", summary: "shelves and gadgets", port: 0, database: "workshop_db", migrations: migrations
    ) { app in
        let models = Models(app)
        let staff = Access.roles(["manager", "superuser"])
        models.resource(Shelf.self, at: "/api/v1/shelves", .reading(.user, writing: staff))
        models.resource(Gadget.self, at: "/api/v1/gadgets", .reading(.user, writing: staff)) { gadgets in
            gadgets.action("check", staff, "Counts one more check") { gadget, _ in gadget.checks += 1 }
        }
    }

    static let gadget = """
        {"code":"G-1","name":"Orrery","count":3,"price":12.50,"made_at":"2026-01-31T12:00:00Z",\
        "maker_id":"11111111-2222-4333-8444-555555555555"}
        """
}
