extension Attribute {
    /// An attribute that only says that there was a value.
    package init(_ key: AttributeKey, _ value: Sensitive<some Any>) { self.init(key, .string(Redaction.text)) }
}
