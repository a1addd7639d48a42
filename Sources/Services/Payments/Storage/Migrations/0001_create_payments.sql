-- up
CREATE TABLE payments (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}',
    company_id uuid,
    order_id uuid NOT NULL UNIQUE,
    user_id text,
    amount numeric(18, 2) NOT NULL CHECK (amount >= 0),
    status text NOT NULL CHECK (status IN ('AUTHORIZED', 'DECLINED', 'CAPTURED', 'VOIDED', 'REFUNDED')),
    reason text
);

-- The simulated provider's own books.
CREATE TABLE provider_ledger (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}',
    company_id uuid,
    order_id uuid NOT NULL,
    operation text NOT NULL CHECK (operation IN ('authorize', 'capture', 'void', 'refund')),
    amount numeric(18, 2) NOT NULL,
    accepted boolean NOT NULL,
    UNIQUE (order_id, operation)
);

-- down
DROP TABLE provider_ledger;
DROP TABLE payments;
