internal import Locks
internal import Tasks

/// What every service database has: the outbox and the inbox for messages, what tables of models stand on, and the marks
/// of tasks that have had their effect.
enum KitSchema {
    static let migrations = [
        Migration(
            1, "create_outbox_and_inbox",
            text: """
                -- up
                CREATE TABLE outbox (
                    id uuid PRIMARY KEY,
                    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
                    created_at timestamptz NOT NULL DEFAULT now(),
                    updated_at timestamptz NOT NULL DEFAULT now(),
                    vars jsonb NOT NULL DEFAULT '{}',
                    company_id uuid,
                    type text NOT NULL,
                    subject text NOT NULL,
                    body text NOT NULL,
                    headers jsonb NOT NULL DEFAULT '{}',
                    published_at timestamptz
                );
                CREATE INDEX outbox_pending ON outbox (lsn) WHERE published_at IS NULL;
                CREATE INDEX outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;

                CREATE TABLE inbox (
                    message_id text NOT NULL,
                    consumer text NOT NULL,
                    processed_at timestamptz NOT NULL DEFAULT now(),
                    PRIMARY KEY (message_id, consumer)
                );
                CREATE INDEX inbox_processed ON inbox (processed_at);

                -- down
                DROP TABLE inbox;
                DROP TABLE outbox;
                """),
        Migration(
            2, "keep_base_columns_and_idempotency_keys",
            text: """
                -- up
                -- For tables of models: what no statement may change, and a version that grows with every change.
                CREATE FUNCTION keep_base_columns() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF (NEW.id, NEW.lsn, NEW.created_at) IS DISTINCT FROM (OLD.id, OLD.lsn, OLD.created_at)
                       OR NEW.company_id IS DISTINCT FROM OLD.company_id THEN
                        RAISE EXCEPTION 'id, lsn, created_at and company_id of a row never change';
                    END IF;
                    NEW.updated_at = greatest(clock_timestamp(), OLD.updated_at + interval '1 microsecond');
                    RETURN NEW;
                END
                $$;

                CREATE TABLE idempotency_keys (
                    scope text NOT NULL,
                    key text NOT NULL,
                    fingerprint text NOT NULL,
                    resource_id uuid NOT NULL,
                    created_at timestamptz NOT NULL DEFAULT now(),
                    PRIMARY KEY (scope, key)
                );
                CREATE INDEX idempotency_keys_created ON idempotency_keys (created_at);

                -- down
                DROP TABLE idempotency_keys;
                DROP FUNCTION keep_base_columns();
                """),
        Migration(
            3, "create_processed_tasks_and_leases",
            text: """
                -- up
                \(ProcessedTasks.schema)
                \(PostgreSQLLocks.schema)

                -- down
                DROP TABLE leases;
                DROP TABLE processed_tasks;
                """),
    ]
}
