/// The tables that every service database has for messaging: the outbox and the inbox.
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
                """)
    ]
}
