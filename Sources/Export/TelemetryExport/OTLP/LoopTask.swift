internal import EventLoop
internal import Synchronization
internal import Telemetry

/// A task of an event loop that works until it is told to stop: what exporters and senders have in common.
final class LoopTask: Sendable {
    let loop: EventLoop
    /// Wakes the task when there is work or it is time to stop.
    let wakeUp: LoopSignal
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(loop: EventLoop) {
        self.loop = loop
        wakeUp = LoopSignal(loop: loop)
    }

    /// Starts `run`, unless it was started before. It belongs to no request.
    func start(_ run: @escaping @Sendable () async -> Void) {
        task.withLock { task in
            guard task == nil else { return }
            task = loop.spawn { await TelemetryContext.$current.withValue(TelemetryContext()) { await run() } }
        }
    }

    /// Tells the task to stop and waits for its end; one that takes longer is cancelled.
    func stop(by deadline: Deadline) async {
        wakeUp.stop()
        guard let running = task.withLock({ $0 }) else { return }
        await Deadline.race(milliseconds: deadline.millisecondsLeft) { await running.value }
        running.cancel()
    }
}
