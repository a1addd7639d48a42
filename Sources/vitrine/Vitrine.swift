import ServiceKit

@main
enum Vitrine {
    static func main() async {}
}
