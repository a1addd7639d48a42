-- up
ALTER TABLE purchase_orders
    ADD COLUMN outstanding bigint NOT NULL DEFAULT 0 CHECK (outstanding BETWEEN 0 AND 9007199254740991),
    DROP CONSTRAINT purchase_orders_status_check,
    ADD CONSTRAINT purchase_orders_status_check
        CHECK (status IN ('draft', 'ordered', 'partly_received', 'received', 'cancelled'));
ALTER TABLE purchase_order_lines
    ADD COLUMN received bigint NOT NULL DEFAULT 0,
    ADD CONSTRAINT purchase_order_lines_received_check CHECK (received BETWEEN 0 AND quantity);
UPDATE purchase_order_lines SET received = quantity
FROM purchase_orders WHERE purchase_orders.id = order_id AND status = 'received';
UPDATE purchase_orders SET outstanding = (
    SELECT coalesce(sum(quantity - received), 0) FROM purchase_order_lines WHERE order_id = purchase_orders.id);

CREATE TABLE purchase_receipts (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(vars) = 'object'),
    company_id uuid,
    line_id uuid NOT NULL,
    quantity bigint NOT NULL CHECK (quantity BETWEEN 1 AND 1000000),
    note text CHECK (char_length(note) BETWEEN 0 AND 2000),
    order_id uuid NOT NULL,
    product_id uuid NOT NULL,
    CONSTRAINT purchase_receipts_line_id_fkey
        FOREIGN KEY (line_id) REFERENCES purchase_order_lines(id) ON DELETE RESTRICT,
    CONSTRAINT purchase_receipts_order_id_fkey FOREIGN KEY (order_id) REFERENCES purchase_orders(id) ON DELETE RESTRICT
);
CREATE INDEX purchase_receipts_by_lsn ON purchase_receipts (company_id, lsn);
CREATE INDEX purchase_receipts_line_id ON purchase_receipts (line_id);
CREATE INDEX purchase_receipts_order_id ON purchase_receipts (order_id);
CREATE TRIGGER purchase_receipts_keep_base BEFORE UPDATE ON purchase_receipts
    FOR EACH ROW EXECUTE FUNCTION keep_base_columns();

-- down
DROP TABLE purchase_receipts;
ALTER TABLE purchase_order_lines DROP COLUMN received;
ALTER TABLE purchase_orders
    DROP COLUMN outstanding,
    DROP CONSTRAINT purchase_orders_status_check;
UPDATE purchase_orders SET status = 'ordered' WHERE status = 'partly_received';
ALTER TABLE purchase_orders ADD CONSTRAINT purchase_orders_status_check
    CHECK (status IN ('draft', 'ordered', 'received', 'cancelled'));
