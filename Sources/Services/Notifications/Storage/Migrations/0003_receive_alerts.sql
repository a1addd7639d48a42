-- up
-- What Alertmanager told: each change of an alert once, however often it is told.
CREATE TABLE alert_events (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}',
    company_id uuid,
    group_key text NOT NULL,
    fingerprint text NOT NULL,
    status text NOT NULL CHECK (status IN ('firing', 'resolved')),
    starts_at timestamptz NOT NULL,
    -- The year 1 while it fires, as Alertmanager says it.
    ends_at timestamptz NOT NULL,
    name text NOT NULL,
    severity text NOT NULL,
    job text NOT NULL,
    labels jsonb NOT NULL,
    -- Of the deliveries that tell of it; null when nobody is to be told.
    message_id text
);
-- By the digest of the group's key, which may be longer than an index takes.
CREATE UNIQUE INDEX alert_events_once ON alert_events (md5(group_key), fingerprint, status, starts_at, ends_at);
CREATE INDEX alert_events_name ON alert_events (name, lsn);

-- Letters to customers have a user; those to the people on call have none.
ALTER TABLE deliveries ADD COLUMN kind text NOT NULL DEFAULT 'order' CHECK (kind IN ('order', 'alert'));
ALTER TABLE deliveries DROP CONSTRAINT deliveries_channel_check;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_channel_check CHECK (channel IN ('email', 'telegram'));

-- down
DELETE FROM deliveries WHERE kind = 'alert';
ALTER TABLE deliveries DROP CONSTRAINT deliveries_channel_check;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_channel_check CHECK (channel IN ('email'));
ALTER TABLE deliveries DROP COLUMN kind;
DROP TABLE alert_events;
