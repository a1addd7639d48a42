-- up
CREATE TABLE orders (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}',
    company_id uuid,
    user_id text NOT NULL,
    items jsonb NOT NULL,
    total numeric(18, 2) NOT NULL CHECK (total >= 0),
    status text NOT NULL CHECK (status IN ('CREATED', 'PROCESSING', 'SHIPPING', 'DELIVERED', 'CANCELLED')),
    reason text,
    status_changed_at timestamptz NOT NULL DEFAULT now(),
    idempotency_key text,
    request_digest text
);
CREATE UNIQUE INDEX orders_idempotency ON orders (user_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX orders_by_user ON orders (user_id, lsn DESC);
CREATE INDEX orders_to_advance ON orders (status_changed_at) WHERE status IN ('PROCESSING', 'SHIPPING');
CREATE INDEX orders_open ON orders (created_at) WHERE status = 'CREATED';

-- down
DROP TABLE orders;
