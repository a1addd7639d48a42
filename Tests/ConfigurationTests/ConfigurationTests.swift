import Configuration
import Testing

@Suite struct ConfigurationReaderTests {
    @Test func everyMistakeIsReportedAtOnce() throws {
        let reader = ConfigurationReader(values: [
            "PORT": "eighty", "MODE": "loud", "SECRET": "hunter2", "FLAG": "maybe",
        ])
        #expect(reader.int("PORT", default: 80, in: 1...65535) == 80)
        _ = reader.choice("MODE", of: ["quiet", "normal"], default: "normal")
        _ = reader.secret("SECRET", minimumBytes: 32)
        _ = reader.bool("FLAG", default: false)
        _ = reader.required("MISSING", expected: "a URL")
        do {
            try reader.validate()
            Issue.record("mistakes were accepted")
        } catch let error as ConfigurationError {
            #expect(error.problems.count == 5)
            #expect(error.description.contains("PORT is 'eighty': expected a whole number from 1 to 65535"))
            #expect(error.description.contains("MISSING is not set: expected a URL"))
            #expect(error.description.contains("SECRET has 7 bytes"))
            #expect(!error.description.contains("hunter2"))
        }
    }

    @Test func anEmptyVariableIsNotSet() throws {
        let reader = ConfigurationReader(values: ["A": ""])
        #expect(reader.string("A", default: "b") == "b")
        #expect(reader.known.map(\.name) == ["A"])
        try reader.validate()
    }

    @Test func aDotEnvFileIsReadAsShellsDo() throws {
        let values = try DotEnv.parse(
            """
            # comment
            A=1
            export B=two words # tail
            C="line\\nnext \\"q\\""
            D='as # is \\n'
            E=a#b
            """)
        #expect(
            values == ["A": "1", "B": "two words", "C": "line\nnext \"q\"", "D": "as # is \\n", "E": "a#b"])
        #expect(values["A"] == "1")
        #expect(values["C"] == "line\nnext \"q\"")
        #expect(values["D"] == "as # is \\n")
        #expect(values["E"] == "a#b")
    }

    @Test func aBrokenLineIsNamedWithoutItsValue() {
        #expect {
            try DotEnv.parse("A=1\nPASSWORD=\"hunter2")
        } throws: { error in
            "\(error)".contains("line 2") && !"\(error)".contains("hunter2")
        }
    }
}
