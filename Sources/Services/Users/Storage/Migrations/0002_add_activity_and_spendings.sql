-- up
ALTER TABLE users ADD COLUMN last_seen_at timestamptz;
CREATE INDEX users_last_seen ON users (last_seen_at) WHERE last_seen_at IS NOT NULL;

-- What each order added to its user's total: an order counts once, however its events arrive.
CREATE TABLE spendings (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}',
    company_id uuid,
    order_id uuid NOT NULL UNIQUE,
    -- Null when the money came back before it was known who had spent it.
    user_id uuid,
    amount numeric(18, 2) NOT NULL DEFAULT 0 CHECK (amount >= 0),
    is_refunded boolean NOT NULL DEFAULT false
);

-- down
DROP TABLE spendings;
DROP INDEX users_last_seen;
ALTER TABLE users DROP COLUMN last_seen_at;
