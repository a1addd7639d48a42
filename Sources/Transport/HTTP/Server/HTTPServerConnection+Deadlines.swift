internal import EventLoop

/// Cuts clients that are too slow. The loop's sweep asks every connection; setting a deadline is one addition.
extension HTTPServerConnection {
    func setDeadline(seconds: Int) { deadline = shard.loop.nowMilliseconds + UInt64(seconds) * 1000 }

    /// A new period in which the body has to grow.
    func beginBodyPeriod() {
        bodyBytesInPeriod = 0
        setDeadline(seconds: shard.configuration.bodyProgressTimeoutSeconds)
    }

    func checkDeadlines(_ now: UInt64) {
        guard !tcp.isClosed else { return }
        checkWriting(now)
        releaseIdleWorker(now)
        guard now >= deadline else { return }
        deadline = .max
        switch phase {
        case .reading:
            // Somebody who never began a request is not told anything.
            guard !input.isEmpty else { return tcp.close() }
            shard.gate.requestRefused()
            refuse(.requestTimedOut)
        case .responding: checkBody()
        case .discarding, .lingering: tcp.close()
        case .closed: break
        }
    }

    private func checkBody() {
        guard let body = incoming else { return }
        // Who does not send because we do not read is not slow.
        if !tcp.isReading || body.awaitsContinue
            || bodyBytesInPeriod >= shard.configuration.minBodyProgressBytes
        {
            return beginBodyPeriod()
        }
        shard.gate.requestRefused()
        keepsAlive = false
        hasBrokenBody = true
        incoming = nil
        body.channel?.fail(HTTPBodyCut.timedOut)
    }

    /// A peer that takes nothing of what is queued for it holds memory.
    private func checkWriting(_ now: UInt64) {
        guard tcp.queuedBytes > 0 else {
            writeDeadline = .max
            return
        }
        let unsent = tcp.unsentBytes
        if writeDeadline == .max || unsent != lastUnsentBytes {
            lastUnsentBytes = unsent
            writeDeadline = now + UInt64(shard.configuration.writeProgressTimeoutSeconds) * 1000
        } else if now >= writeDeadline {
            tcp.close()
        }
    }
}
