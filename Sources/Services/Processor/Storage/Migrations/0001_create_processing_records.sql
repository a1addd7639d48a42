-- up
CREATE TABLE processing_records (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}',
    company_id uuid,
    order_id uuid NOT NULL UNIQUE,
    user_id text,
    total numeric(18, 2),
    state text NOT NULL CHECK (state IN ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED')),
    stock text CHECK (stock IN ('ACCEPTED', 'REFUSED')),
    payment text CHECK (payment IN ('ACCEPTED', 'REFUSED')),
    reason text,
    deadline timestamptz NOT NULL
);
CREATE INDEX processing_records_open ON processing_records (deadline) WHERE state IN ('PENDING', 'PROCESSING');

-- down
DROP TABLE processing_records;
