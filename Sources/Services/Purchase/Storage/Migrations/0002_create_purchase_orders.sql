-- up
CREATE TABLE purchase_orders (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(vars) = 'object'),
    company_id uuid,
    number text NOT NULL CHECK (char_length(number) BETWEEN 1 AND 64),
    supplier_id uuid NOT NULL,
    status text NOT NULL CHECK (status IN ('draft', 'ordered', 'received', 'cancelled')),
    expected_at timestamp with time zone,
    note text CHECK (char_length(note) BETWEEN 0 AND 2000),
    total numeric(18,2) NOT NULL CHECK (total BETWEEN -999999999999.99 AND 999999999999.99),
    CONSTRAINT purchase_orders_number_key UNIQUE NULLS NOT DISTINCT (company_id, number),
    CONSTRAINT purchase_orders_supplier_id_fkey FOREIGN KEY (supplier_id) REFERENCES suppliers(id) ON DELETE RESTRICT
);
CREATE INDEX purchase_orders_by_lsn ON purchase_orders (company_id, lsn);
CREATE INDEX purchase_orders_by_status ON purchase_orders (company_id, status, lsn);
CREATE INDEX purchase_orders_supplier_id ON purchase_orders (supplier_id);
CREATE TRIGGER purchase_orders_keep_base BEFORE UPDATE ON purchase_orders
    FOR EACH ROW EXECUTE FUNCTION keep_base_columns();

-- down
DROP TABLE purchase_orders;
