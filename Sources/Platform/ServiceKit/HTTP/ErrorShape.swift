internal import HTTP
internal import HTTPCodec
internal import Telemetry

/// How errors look under a prefix.
package enum ErrorShape: Sendable {
    /// RFC 9457 problem details with the trace id.
    case problem
    /// `{"detail": …}`; validation errors as a list, as FastAPI writes them.
    case detail
    /// `{"success": false, "message": …}`
    case marimo

    var contentType: String {
        if case .problem = self { return "application/problem+json" }
        return "application/json"
    }

    /// The response that tells a client of an error.
    func response(to error: HTTPError, traceID: TraceID?, requestID: String?) -> HTTPResponse {
        var body = ByteBuffer(capacity: 256)
        switch self {
        case .problem: Self.writeProblem(error, traceID, requestID, to: &body)
        case .detail: Self.writeDetail(error, to: &body)
        case .marimo: Self.writeMarimo(error, to: &body)
        }
        var response = HTTPResponse(status: error.status, body: .bytes(body.array()))
        response.headers.add("content-type", contentType)
        for header in error.headers { response.headers.add(header.name, header.value) }
        // RFC 9110, section 15.5.2: a 401 names the scheme.
        if error.status == .unauthorized, !response.headers.contains("www-authenticate") {
            response.headers.add("www-authenticate", "Bearer")
        }
        return response
    }

    private static func writeProblem(
        _ error: HTTPError, _ traceID: TraceID?, _ requestID: String?, to body: inout ByteBuffer
    ) {
        body.append("{\"type\":\"about:blank\",\"title\":\"" as StaticString)
        body.append(error.status.reason)
        body.append("\",\"status\":" as StaticString)
        body.appendDecimal(error.status.code)
        body.append(",\"detail\":" as StaticString)
        body.appendJSONString(error.message)
        body.append(",\"code\":" as StaticString)
        body.appendJSONString(error.code)
        if let traceID {
            body.append(",\"trace_id\":" as StaticString)
            body.appendJSONString(traceID.description)
        }
        if let requestID {
            body.append(",\"request_id\":" as StaticString)
            body.appendJSONString(requestID)
        }
        if !error.fields.isEmpty {
            body.append(",\"errors\":" as StaticString)
            writeFields(error.fields, to: &body)
        }
        body.append("}" as StaticString)
    }

    private static func writeDetail(_ error: HTTPError, to body: inout ByteBuffer) {
        body.append("{\"detail\":" as StaticString)
        if error.fields.isEmpty { body.appendJSONString(error.message) } else { writeFields(error.fields, to: &body) }
        body.append("}" as StaticString)
    }

    private static func writeMarimo(_ error: HTTPError, to body: inout ByteBuffer) {
        body.append("{\"success\":false,\"message\":" as StaticString)
        body.appendJSONString(error.message)
        if !error.fields.isEmpty {
            body.append(",\"errors\":" as StaticString)
            writeFields(error.fields, to: &body)
        }
        body.append("}" as StaticString)
    }

    private static func writeFields(_ fields: [HTTPError.FieldError], to body: inout ByteBuffer) {
        body.append("[" as StaticString)
        for (index, field) in fields.enumerated() {
            body.append(index == 0 ? "{\"loc\":[" : ",{\"loc\":[" as StaticString)
            for (index, part) in field.location.enumerated() {
                if index > 0 { body.append("," as StaticString) }
                // A place in a list is a number.
                if let number = Int(part) { body.appendDecimal(number) } else { body.appendJSONString(part) }
            }
            body.append("],\"msg\":" as StaticString)
            body.appendJSONString(field.message)
            body.append(",\"type\":" as StaticString)
            body.appendJSONString(field.type)
            body.append("}" as StaticString)
        }
        body.append("]" as StaticString)
    }
}
