/// A dictionary that never holds more than its capacity: what has not been asked for lately is forgotten first.
///
/// Two generations: what is found in the old one moves to the young one; when the young one is full it becomes the old
/// one, and the old one is dropped whole. Every operation is one or two look-ups, whatever the number of entries, and
/// nobody can make it scan.
///
/// Public, because only of public functions does the compiler show the bodies to other targets: without them every look-up
/// would ask the runtime for the types of keys and values, which costs ten times the look-up.
public struct BoundedCache<Key: Hashable, Value> {
    @usableFromInline var young: [Key: Value] = [:]
    @usableFromInline var old: [Key: Value] = [:]
    @usableFromInline let generation: Int

    /// - Parameter capacity: 2 or more.
    @inlinable
    public init(capacity: Int) {
        precondition(capacity >= 2)
        generation = capacity / 2
    }

    /// Entries, at most the capacity.
    @inlinable
    public var count: Int { young.count + old.count }

    /// The value of a key, which counts as used.
    @inlinable
    public subscript(key: Key) -> Value? {
        mutating get {
            if let value = young[key] { return value }
            guard let value = old.removeValue(forKey: key) else { return nil }
            insert(value, key)
            return value
        }
        set {
            if let newValue {
                if young[key] == nil { old[key] = nil }
                insert(newValue, key)
            } else {
                young[key] = nil
                old[key] = nil
            }
        }
    }

    /// Changes the value of a key where it lies; the key counts as used.
    /// - Parameter initial: the value of a key that is not there.
    @inlinable
    public mutating func update<Result>(
        _ key: Key, default initial: @autoclosure () -> Value, _ change: (inout Value) -> Result
    ) -> Result {
        if let index = young.index(forKey: key) { return change(&young.values[index]) }
        var value = old.removeValue(forKey: key) ?? initial()
        let result = change(&value)
        insert(value, key)
        return result
    }

    @inlinable
    mutating func insert(_ value: Value, _ key: Key) {
        if young.count >= generation, young[key] == nil {
            swap(&young, &old)
            young.removeAll(keepingCapacity: true)
        }
        young[key] = value
    }
}

extension BoundedCache: Sendable where Key: Sendable, Value: Sendable {}
