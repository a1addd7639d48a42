/// One operation as the OpenAPI document tells of it.
package struct APIOperation: Sendable {
    /// Lower case: `get`.
    package var method: String
    package var path: String
    package var summary: String
    /// What it is listed under.
    package var tag: String
    /// Unique in the document.
    package var id: String
    package var access: Access
    /// How its refusals look.
    package var errors = ErrorShape.problem
    /// OpenAPI parameter objects.
    package var parameters: [JSONTree] = []
    /// JSON Schema of the body; nil for none.
    package var body: JSONTree?
    package var bodyType = "application/json"
    /// Each status with its words and the JSON Schema of its body; refusals have the shape of errors without being told.
    package var answers: [(status: Int, about: String, schema: JSONTree?)]
    /// Statuses of refusals.
    package var refusals: [Int]
    /// Operations that take the `id` of the first answer's row.
    package var links: [String] = []

    package init(
        _ method: String, _ path: String, id: String, tag: String, summary: String, access: Access,
        answers: [(status: Int, about: String, schema: JSONTree?)], refusals: [Int]
    ) {
        self.method = method
        self.path = path
        self.id = id
        self.tag = tag
        self.summary = summary
        self.access = access
        self.answers = answers
        self.refusals = refusals
    }
}
