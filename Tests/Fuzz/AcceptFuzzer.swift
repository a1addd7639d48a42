/// libFuzzer target of the `Accept` and `Accept-Encoding` headers of scrapes. Built by `Tests/Fuzz/run` together with the
/// sources that read them.
///
/// Whatever comes: a format that we have, in bounded time; what stands behind a range without an end changes nothing.

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let header = String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self)
    let format = ExpositionFormat.negotiate(accept: header)
    precondition(format.contentType.contains("version="))
    // Protobuf is for who names it, and only where it is offered.
    let offered = ExpositionFormat.negotiate(accept: header, offersProtobuf: true)
    precondition(offered == format || offered == .protobuf && header.lowercased().contains("delimited"))
    let ranges = MediaRange.parse(header)
    precondition(ranges.count <= 32 && ranges.allSatisfy { (0...1).contains($0.quality) && !$0.type.isEmpty })
    // Spaces around separators mean nothing.
    if !header.utf8.contains(UInt8(ascii: "\"")), header.utf8.count < 1024 {
        let spaced = header.split(separator: ",", omittingEmptySubsequences: false).joined(separator: " ,\t")
        precondition(ExpositionFormat.negotiate(accept: spaced) == format, "spaces change the format")
    }
    return 0
}
