package import HTTP
internal import HTTPCodec
internal import Synchronization

/// `/docs`: a page that reads `/openapi.json` and lets people try what it says. Everything comes from this service, so
/// it works without any other network, and its policy forbids anything else.
package enum DocumentationPage {
    /// The page; below `/docs/<name>` it reads `/docs/<name>/openapi.json`.
    package static func page() -> HTTPResponse { response(PackageResources.page_html, "text/html; charset=utf-8") }
    static func script() -> HTTPResponse { response(PackageResources.page_js, "text/javascript; charset=utf-8") }
    static func style() -> HTTPResponse { response(PackageResources.page_css, "text/css; charset=utf-8") }

    private static func response(_ bytes: [UInt8], _ type: String) -> HTTPResponse {
        var response = HTTPResponse(body: .bytes(bytes))
        response.headers.add("content-type", type)
        response.headers.add(
            "content-security-policy",
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'")
        response.headers.add("x-content-type-options", "nosniff")
        response.headers.add("cache-control", "max-age=300")
        return response
    }
}

/// What every service tells of its routes: `/openapi.json`, and `/docs` to read and try it.
final class DocumentRoutes: Sendable {
    private let document: @Sendable () -> JSONTree
    private let served = Mutex<ServedDocument?>(nil)

    /// - Parameter document: rendered when somebody asks for it first.
    init(_ document: @escaping @Sendable () -> JSONTree) { self.document = document }

    /// The routes that the service has not declared itself.
    func routes(besides declared: [Route]) -> [Route] {
        let all = [
            route("/openapi.json") { [self] in text().response(to: $0) },
            route("/docs") { _ in DocumentationPage.page() },
            route("/docs/page.js") { _ in DocumentationPage.script() },
            route("/docs/page.css") { _ in DocumentationPage.style() },
        ]
        return all.filter { route in
            !declared.contains { $0.method == route.method && $0.template == route.template }
        }
    }

    private func route(_ path: String, _ handler: @escaping RouteGroup.ImmediateHandler) -> Route {
        Route(method: .get, template: path, access: .open, shape: .problem, handler: .immediate(handler))
    }

    private func text() -> ServedDocument {
        served.withLock { served in
            if let served { return served }
            let new = ServedDocument(document().bytes)
            served = new
            return new
        }
    }
}
