/// Why nothing was written: what is wrong with a name, a field or the tree, and what to do.
package struct ScaffoldError: Error, Hashable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}
