/// What OpenAPI says of errors: the three shapes, for every document.
extension ErrorShape {
    /// The schema's name.
    var documentName: String {
        switch self {
        case .problem: "Problem"
        case .detail: "ErrorDetail"
        case .marimo: "ErrorMessage"
        }
    }

    static let documents: [(name: String, schema: JSONTree)] = [
        (ErrorShape.problem.documentName, problemDocument),
        (ErrorShape.detail.documentName, detailDocument),
        (ErrorShape.marimo.documentName, marimoDocument),
    ]

    /// What is wrong, field by field.
    private static let fields: JSONTree = [
        "type": "array",
        "items": [
            "type": "object", "required": ["loc", "msg", "type"],
            "properties": [
                "loc": ["type": "array", "items": ["type": ["string", "integer"]]],
                "msg": ["type": "string"], "type": ["type": "string"],
            ],
        ],
    ]

    /// RFC 9457.
    private static let problemDocument: JSONTree = [
        "type": "object", "required": ["title", "status", "code"],
        "properties": [
            "type": ["type": "string"], "title": ["type": "string"], "status": ["type": "integer"],
            "detail": ["type": "string"], "code": ["type": "string"], "trace_id": ["type": "string"],
            "request_id": ["type": "string"], "errors": fields,
        ],
    ]

    private static let detailDocument: JSONTree = [
        "type": "object", "required": ["detail"],
        "properties": ["detail": ["anyOf": [["type": "string"], fields]]],
    ]

    private static let marimoDocument: JSONTree = [
        "type": "object", "required": ["success", "message"],
        "properties": ["success": ["const": false], "message": ["type": "string"], "errors": fields],
    ]
}
