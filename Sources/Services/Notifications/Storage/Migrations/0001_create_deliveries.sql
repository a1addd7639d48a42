-- up
CREATE TABLE deliveries (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}',
    company_id uuid,
    message_id text NOT NULL,
    channel text NOT NULL CHECK (channel IN ('email')),
    user_id text NOT NULL,
    subject text NOT NULL,
    text text NOT NULL,
    state text NOT NULL CHECK (state IN ('PENDING', 'SENT', 'FAILED', 'SKIPPED')),
    attempts integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (message_id, channel)
);
CREATE INDEX deliveries_pending ON deliveries (next_attempt_at) WHERE state = 'PENDING';

CREATE TABLE audit_log (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}',
    company_id uuid,
    message_id text NOT NULL UNIQUE,
    type text NOT NULL,
    subject text NOT NULL,
    trace_id text,
    body jsonb NOT NULL
);
CREATE INDEX audit_log_subject ON audit_log (subject, lsn);

-- down
DROP TABLE audit_log;
DROP TABLE deliveries;
