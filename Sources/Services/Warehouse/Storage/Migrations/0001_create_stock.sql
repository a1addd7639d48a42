-- up
CREATE TABLE stock_levels (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}',
    company_id uuid,
    product_id uuid NOT NULL UNIQUE,
    name text NOT NULL,
    on_hand integer NOT NULL CHECK (on_hand >= 0),
    reserved integer NOT NULL DEFAULT 0 CHECK (reserved BETWEEN 0 AND on_hand)
);

-- Every change of on_hand; their sum is on_hand.
CREATE TABLE stock_movements (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}',
    company_id uuid,
    product_id uuid NOT NULL REFERENCES stock_levels (product_id),
    quantity integer NOT NULL,
    reason text NOT NULL CHECK (reason IN ('initial', 'adjusted', 'sold', 'returned')),
    order_id uuid
);
CREATE INDEX stock_movements_product ON stock_movements (product_id);
CREATE UNIQUE INDEX stock_movements_once ON stock_movements (order_id, product_id, reason) WHERE order_id IS NOT NULL;

CREATE TABLE reservations (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}',
    company_id uuid,
    order_id uuid NOT NULL UNIQUE,
    state text NOT NULL CHECK (state IN ('RESERVED', 'REJECTED', 'COMMITTED', 'RELEASED', 'RETURNED')),
    lines jsonb NOT NULL DEFAULT '[]'
);

-- down
DROP TABLE reservations;
DROP TABLE stock_movements;
DROP TABLE stock_levels;
