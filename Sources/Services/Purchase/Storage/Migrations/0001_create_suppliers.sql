-- up
CREATE TABLE suppliers (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(vars) = 'object'),
    company_id uuid,
    code text NOT NULL CHECK (char_length(code) BETWEEN 1 AND 64),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    email text CHECK (char_length(email) BETWEEN 3 AND 254),
    phone text CHECK (char_length(phone) BETWEEN 1 AND 40),
    payment_days bigint NOT NULL CHECK (payment_days BETWEEN 0 AND 365),
    is_active boolean NOT NULL,
    CONSTRAINT suppliers_code_key UNIQUE NULLS NOT DISTINCT (company_id, code)
);
CREATE INDEX suppliers_by_lsn ON suppliers (company_id, lsn);
CREATE INDEX suppliers_by_name ON suppliers (company_id, name, lsn);
CREATE TRIGGER suppliers_keep_base BEFORE UPDATE ON suppliers
    FOR EACH ROW EXECUTE FUNCTION keep_base_columns();

-- down
DROP TABLE suppliers;
