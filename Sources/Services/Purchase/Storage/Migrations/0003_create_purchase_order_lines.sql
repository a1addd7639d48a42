-- up
CREATE TABLE purchase_order_lines (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(vars) = 'object'),
    company_id uuid,
    order_id uuid NOT NULL,
    product_id uuid NOT NULL,
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    quantity bigint NOT NULL CHECK (quantity BETWEEN 1 AND 1000000),
    price numeric(18,2) NOT NULL CHECK (price BETWEEN 0.00 AND 999999999999.99),
    CONSTRAINT purchase_order_lines_order_id_fkey FOREIGN KEY (order_id) REFERENCES purchase_orders(id) ON DELETE CASCADE
);
CREATE INDEX purchase_order_lines_by_lsn ON purchase_order_lines (company_id, lsn);
CREATE INDEX purchase_order_lines_by_product_id ON purchase_order_lines (company_id, product_id, lsn);
CREATE INDEX purchase_order_lines_order_id ON purchase_order_lines (order_id);
CREATE TRIGGER purchase_order_lines_keep_base BEFORE UPDATE ON purchase_order_lines
    FOR EACH ROW EXECUTE FUNCTION keep_base_columns();

-- down
DROP TABLE purchase_order_lines;
