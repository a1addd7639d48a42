/// Any JSON object, kept as its text: what a tenant hangs onto a row (`vars`) without the service knowing of it.
package struct JSONObject: Hashable, Sendable {
    /// JSON text of an object.
    package let text: String

    /// Bytes of the text that a client may send.
    package static let maxBytes = 16 * 1024
    package static let empty = JSONObject(checked: "{}")

    init(checked text: String) { self.text = text }

    /// Nil unless the text is one JSON object.
    package init?(_ text: String) {
        let bytes = Array(text.utf8)
        guard let node = try? JSONNode(whole: bytes), node.kind == .object else { return nil }
        self.text = text
    }
}
