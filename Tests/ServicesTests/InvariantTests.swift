import Orders
import Payments
import PostgreSQL
import Processor
import ServiceKit
import ServiceTesting
import Telemetry
import TelemetryTesting
import Testing
import Users
import Values
import Warehouse

/// Data broken by hand, as a bug or a person would, is found while the service runs: the metric, the log line with the
/// row, and both end when it is mended.
@Suite struct InvariantTests {
    private func broken(
        _ service: ServiceDefinition, _ invariant: String, subject: String, breaking: String, mending: String
    ) async throws {
        let values = ["INVARIANT_CHECK_MS": "100", "ORDERS_OUTCOME_SECONDS": "60"]
        try await Deployment.run([service], values: values) { deployment in
            let capture = try deployment.capture(service.name)
            let violations = "invariant_violations_total{invariant=\"\(invariant)\"}"
            let checked = "job_runs_total{job=\"invariants\",outcome=\"success\"}"
            // It is there before anything is wrong, and nothing is wrong at first.
            #expect(await eventually { (capture.value(checked) ?? 0) >= 2 })
            #expect(capture.value(violations) == 0)

            let database = try deployment.database(service.name)
            try await database.script("break", breaking)
            #expect(await eventually { (capture.value(violations) ?? 0) >= 2 })
            let line = capture.logLines.first { $0.contains("invariant.violated") }
            #expect(line?.contains(subject) == true && line?.contains("\(invariant) is broken") == true)
            #expect(line?.contains(#""log.level":"error""#) == true)

            try await database.script("mend", mending)
            // A look that began before may still see it; the one after the next does not.
            let runs = try #require(capture.value(checked))
            #expect(await eventually { (capture.value(checked) ?? 0) >= runs + 2 })
            let found = capture.value(violations)
            let later = try #require(capture.value(checked))
            #expect(await eventually { (capture.value(checked) ?? 0) >= later + 2 })
            #expect(capture.value(violations) == found)
        }
    }

    @Test func anOrderWithoutAnOutcomeIsFound() async throws {
        let id = Identifier.make()
        try await broken(
            OrdersService.definition, "I1", subject: id,
            breaking: """
                INSERT INTO orders (id, user_id, items, total, status, created_at)
                VALUES ('\(id)', 'u', '[]', 1, 'CREATED', now() - interval '1 hour')
                """, mending: "UPDATE orders SET status = 'CANCELLED', reason = 'mended'")
    }

    @Test func aCompletionThatNobodyAgreedToIsFound() async throws {
        let id = Identifier.make()
        try await broken(
            ProcessorService.definition, "I1", subject: id,
            breaking: """
                INSERT INTO processing_records (id, order_id, state, stock, payment, deadline)
                VALUES (gen_random_uuid(), '\(id)', 'COMPLETED', 'ACCEPTED', 'REFUSED', now())
                """, mending: "UPDATE processing_records SET state = 'FAILED'")
    }

    @Test func moneyThatTheProviderNeverTookIsFound() async throws {
        let id = Identifier.make()
        try await broken(
            PaymentsService.definition, "I2", subject: id,
            breaking: """
                INSERT INTO payments (id, order_id, amount, status) VALUES (gen_random_uuid(), '\(id)', 10, 'CAPTURED');
                INSERT INTO provider_ledger (id, order_id, operation, amount, accepted)
                VALUES (gen_random_uuid(), '\(id)', 'capture', 20, true)
                """, mending: "UPDATE provider_ledger SET amount = 10")
    }

    @Test func anOrderThatIsChargedThoughDeclinedIsFound() async throws {
        let id = Identifier.make()
        try await broken(
            PaymentsService.definition, "I2", subject: id,
            breaking: """
                INSERT INTO payments (id, order_id, amount, status) VALUES (gen_random_uuid(), '\(id)', 10, 'DECLINED');
                INSERT INTO provider_ledger (id, order_id, operation, amount, accepted)
                VALUES (gen_random_uuid(), '\(id)', 'capture', 10, true)
                """,
            mending: """
                INSERT INTO provider_ledger (id, order_id, operation, amount, accepted)
                VALUES (gen_random_uuid(), '\(id)', 'refund', 10, true)
                """)
    }

    @Test func stockThatNoMovementExplainsIsFound() async throws {
        let id = Identifier.make()
        try await broken(
            WarehouseService.definition, "I3", subject: id,
            breaking: """
                INSERT INTO stock_levels (id, product_id, name, on_hand) VALUES (gen_random_uuid(), '\(id)', 'a lamp', 5)
                """, mending: "UPDATE stock_levels SET on_hand = 0")
    }

    @Test func aTotalThatNoOrderExplainsIsFound() async throws {
        let id = Identifier.make()
        try await broken(
            UsersService.definition, "I4", subject: id,
            breaking: """
                INSERT INTO users (id, username, password_hash, total_spent) VALUES ('\(id)', 'ann', 'x', 5)
                """,
            mending: """
                INSERT INTO spendings (id, order_id, user_id, amount)
                VALUES (gen_random_uuid(), gen_random_uuid(), '\(id)', 5)
                """)
    }
}
