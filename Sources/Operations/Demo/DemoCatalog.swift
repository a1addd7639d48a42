internal import Values

/// About five hundred products in a dozen categories, the same on every machine.
package enum DemoCatalog {
    struct Product: Encodable, Sendable {
        let name: String
        let category: String
        let price: Money
        let stock_count: Int
        let description: String
        let manufacturer: String
    }

    /// Above the simulated payment provider's limit: buying it is declined.
    static let luxury = Product(
        name: "Astronomical Regulator Clock", category: "Clocks", price: Money(cents: 1_250_000), stock_count: 5,
        description: "A regulator with moon phase, made to order.", manufacturer: "Horologia")

    /// Few of it: an order for more is rejected by the warehouse.
    static let rare = Product(
        name: "First Edition Field Guide", category: "Books", price: Money(cents: 4_500), stock_count: 3,
        description: "The last three of the first printing.", manufacturer: "Vitrine Press")

    static let products: [Product] = [luxury, rare] + generated

    /// The names of the categories.
    package static let categoryNames = categories.map(\.name)

    private static let categories: [(name: String, nouns: [String], cents: Int64)] = [
        ("Books", ["Atlas", "Cookbook", "Novel", "Dictionary", "Sketchbook", "Almanac", "Anthology"], 1_490),
        ("Clocks", ["Wall Clock", "Alarm Clock", "Desk Clock", "Timer", "Wristwatch", "Stopwatch", "Sundial"], 3_900),
        ("Coffee", ["Espresso", "Filter Roast", "Decaf", "Cold Brew", "Grinder", "Kettle", "Dripper"], 990),
        ("Garden", ["Trowel", "Watering Can", "Planter", "Seed Box", "Secateurs", "Rake", "Hose"], 1_250),
        ("Kitchen", ["Saucepan", "Skillet", "Chef Knife", "Whisk", "Cutting Board", "Mixing Bowl", "Ladle"], 2_490),
        ("Lighting", ["Desk Lamp", "Floor Lamp", "Lantern", "Bulb", "Pendant", "Sconce", "Torch"], 2_990),
        ("Music", ["Ukulele", "Harmonica", "Kalimba", "Metronome", "Tuner", "Drum", "Flute"], 5_900),
        ("Office", ["Notebook", "Fountain Pen", "Ink", "Stapler", "Letter Tray", "Ruler", "Blotter"], 790),
        ("Outdoor", ["Backpack", "Tent", "Sleeping Bag", "Compass", "Flask", "Hammock", "Stove"], 6_900),
        ("Tea", ["Green Tea", "Black Tea", "Oolong", "Teapot", "Infuser", "Tea Bowl", "Rooibos"], 690),
        ("Toys", ["Puzzle", "Kite", "Yo-yo", "Building Set", "Spinning Top", "Train", "Marbles"], 1_190),
        ("Travel", ["Suitcase", "Passport Case", "Neck Pillow", "Adapter", "Duffel", "Map", "Lock"], 3_490),
    ]

    private static let qualities = [
        ("Classic", "Plain and dependable."), ("Compact", "For small rooms and full bags."),
        ("Heritage", "Made the way it used to be."), ("Professional", "For every day and all day."),
        ("Travel", "Light, and hard to break."), ("Limited", "A small series, numbered."),
    ]

    private static let makers = ["Northwind", "Ostrava Works", "Lumen & Sons", "Kolibri", "Harbour Goods"]

    private static var generated: [Product] {
        var products: [Product] = []
        for (category, nouns, base) in categories {
            for (row, noun) in nouns.enumerated() {
                for (column, (quality, text)) in qualities.enumerated() {
                    let number = row * qualities.count + column
                    products.append(
                        Product(
                            name: "\(quality) \(noun)", category: category,
                            price: Money(cents: base + Int64(number * 137 % 41) * 50),
                            stock_count: 40 + number * 7 % 90,
                            description: text, manufacturer: makers[number % makers.count]))
                }
            }
        }
        return products
    }
}
