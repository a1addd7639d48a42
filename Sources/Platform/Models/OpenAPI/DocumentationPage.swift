internal import HTTPCodec
internal import HTTP
internal import ServiceKit

/// `/docs`: a page that reads `/openapi.json` and lets people try what it says. Everything comes from this service, so
/// it works without any other network, and its policy forbids anything else.
enum DocumentationPage {
    static func declare(_ routes: RouteGroup) {
        routes.get("", .open) { _ in page(PackageResources.page_html, "text/html; charset=utf-8") }
        routes.get("/page.js", .open) { _ in page(PackageResources.page_js, "text/javascript; charset=utf-8") }
        routes.get("/page.css", .open) { _ in page(PackageResources.page_css, "text/css; charset=utf-8") }
    }

    private static func page(_ bytes: [UInt8], _ type: String) -> HTTPResponse {
        var response = HTTPResponse(body: .bytes(bytes))
        response.headers.add("content-type", type)
        response.headers.add(
            "content-security-policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'")
        response.headers.add("x-content-type-options", "nosniff")
        response.headers.add("cache-control", "max-age=300")
        return response
    }
}
