internal import ServiceKit

/// One OpenAPI document of what several services say of themselves: of each only the paths that are routed to it, and
/// what these refer to.
///
/// Names are a function of their service alone, whoever else is there: a component that is the same in every document of
/// the platform (`APIDocument.sharedComponents`) keeps its name, any other is `<service>_<name>`; so is every
/// `operationId`.
struct MergedDocument {
    private var paths: [JSONTree.Member] = []
    private var tags: [JSONTree] = []
    private var operationIDs: Set<String> = []
    /// By section and name, in the order of their arrival.
    private var components: [(section: String, name: String, value: JSONTree)] = []

    private static let methods: Set = ["get", "put", "post", "delete", "options", "head", "patch", "trace"]
    private static let componentPrefix = "#/components/"
    private static let securitySection = "securitySchemes"

    /// Why a service is missing, or is told of as it was.
    struct Absence: Equatable, Sendable {
        let service: String
        let problem: String
        /// Whether its last document is in the merged one.
        let isKnown: Bool
    }

    init() {
        for section in APIDocument.sharedComponents.members {
            components += section.value.members.map { (section.name, $0.name, $0.value) }
        }
    }

    /// Adds the paths of a service that are routed to it.
    mutating func add(_ document: JSONTree, of service: String, isRouted: (String) -> Bool) {
        let names = Names(document, service: service)
        let countBefore = paths.count
        for path in document["paths"]?.members ?? [] where isRouted(path.name) {
            let item = path.value.members.compactMap { member -> JSONTree.Member? in
                if member.name == "servers" { return nil }
                guard Self.methods.contains(member.name) else { return names.renamed(member) }
                return .init(name: member.name, value: operation(member.value, document, names))
            }
            paths.append(.init(name: path.name, value: .object(item)))
        }
        guard paths.count > countBefore else { return }
        var tag: JSONTree = ["name": .string(service)]
        if let about = document["info"]?["summary"] { tag = tag.adding(["description": about]) }
        tags.append(tag)
        for section in document["components"]?.members ?? [] {
            for component in section.value.members {
                let name = names.of(section.name, component.name)
                // What is shared is there already.
                guard name != component.name else { continue }
                components.append((section.name, name, names.renamed(component.value)))
            }
        }
    }

    private mutating func operation(_ operation: JSONTree, _ document: JSONTree, _ names: Names) -> JSONTree {
        let tags = (operation["tags"]?.elements ?? []).filter { $0 != .string(names.service) }
        var members: [JSONTree.Member] = [.init(name: "tags", value: .array([.string(names.service)] + tags))]
        for member in operation.members where !["servers", "tags", "security"].contains(member.name) {
            let renamed = names.renamed(member)
            // A document that says an id twice is not valid; the merged one is all the same.
            if let id = renamed.value.text, member.name == "operationId", !operationIDs.insert(id).inserted { continue }
            members.append(renamed)
        }
        if let security = operation["security"] ?? document["security"] {
            let alternatives = security.elements.map { alternative in
                JSONTree.object(
                    alternative.members.map { .init(name: names.of(Self.securitySection, $0.name), value: $0.value) })
            }
            members.append(.init(name: "security", value: .array(alternatives)))
        }
        return .object(members)
    }

    /// The document.
    func render(title: String, about: String, absent: [Absence]) -> JSONTree {
        let absences = absent.map { absence -> JSONTree in
            [
                "service": .string(absence.service), "problem": .string(absence.problem),
                "document": absence.isKnown ? "last known" : "none",
            ]
        }
        var sections: [JSONTree.Member] = []
        for component in needed() {
            let member = JSONTree.Member(name: component.name, value: component.value)
            if let index = sections.firstIndex(where: { $0.name == component.section }) {
                sections[index] = .init(
                    name: component.section, value: .object(sections[index].value.members + [member]))
            } else {
                sections.append(.init(name: component.section, value: .object([member])))
            }
        }
        return [
            "openapi": "3.1.0",
            "info": ["title": .string(title), "summary": .string(about), "version": "1.0"],
            "servers": [["url": "/"]],
            "tags": .array(tags),
            "x-vitrine-unavailable": .array(absences),
            "paths": .object(paths),
            "components": .object(sections),
        ]
    }

    /// The components that paths refer to, directly or not.
    private func needed() -> [(section: String, name: String, value: JSONTree)] {
        var byKey: [String: JSONTree] = [:]
        for component in components { byKey["\(component.section)/\(component.name)"] = component.value }
        var found: Set<String> = []
        var waiting: [JSONTree] = paths.map(\.value)
        for path in paths {
            for case .object(let members) in path.value.members.map(\.value) {
                for alternative in members.first(where: { $0.name == "security" })?.value.elements ?? [] {
                    found.formUnion(alternative.members.map { "\(Self.securitySection)/\($0.name)" })
                }
            }
        }
        while let value = waiting.popLast() {
            switch value {
            case .array(let elements): waiting += elements
            case .object(let members):
                for member in members {
                    guard let text = member.value.text else {
                        waiting.append(member.value)
                        continue
                    }
                    guard text.hasPrefix(Self.componentPrefix) else { continue }
                    let key = String(text.dropFirst(Self.componentPrefix.count))
                    if found.insert(key).inserted, let component = byKey[key] { waiting.append(component) }
                }
            default: break
            }
        }
        return components.filter { found.contains("\($0.section)/\($0.name)") }
    }

    /// The names of one service's document, and what becomes of them.
    private struct Names {
        let service: String
        /// Components as `section/name` that are everybody's.
        private var shared: Set<String> = []

        init(_ document: JSONTree, service: String) {
            self.service = service
            for section in document["components"]?.members ?? [] {
                for component in section.value.members
                where APIDocument.sharedComponents[section.name]?[component.name] == component.value {
                    shared.insert("\(section.name)/\(component.name)")
                }
            }
        }

        func of(_ section: String, _ name: String) -> String {
            shared.contains("\(section)/\(name)") ? name : "\(service)_\(name)"
        }

        func operationID(_ id: String) -> String { "\(service)_\(id)" }

        func renamed(_ value: JSONTree) -> JSONTree {
            switch value {
            case .array(let elements): .array(elements.map(renamed))
            case .object(let members): .object(members.map(renamed))
            default: value
            }
        }

        func renamed(_ member: JSONTree.Member) -> JSONTree.Member {
            guard let text = member.value.text else { return .init(name: member.name, value: renamed(member.value)) }
            if member.name == "operationId" { return .init(name: member.name, value: .string(operationID(text))) }
            // References, and those of a discriminator's mapping.
            guard text.hasPrefix(MergedDocument.componentPrefix) else { return member }
            let parts = text.dropFirst(MergedDocument.componentPrefix.count)
                .split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { return member }
            let (section, name) = (String(parts[0]), String(parts[1]))
            let reference = "\(MergedDocument.componentPrefix)\(section)/\(of(section, name))"
            return .init(name: member.name, value: .string(reference))
        }
    }
}
