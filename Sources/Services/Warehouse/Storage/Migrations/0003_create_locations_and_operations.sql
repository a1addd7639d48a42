-- up
CREATE TABLE locations (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(vars) = 'object'),
    company_id uuid,
    code text NOT NULL CHECK (char_length(code) BETWEEN 1 AND 64),
    name text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 200),
    CONSTRAINT locations_code_key UNIQUE NULLS NOT DISTINCT (company_id, code)
);
CREATE INDEX locations_by_lsn ON locations (company_id, lsn);
CREATE TRIGGER locations_keep_base BEFORE UPDATE ON locations
    FOR EACH ROW EXECUTE FUNCTION keep_base_columns();

CREATE TABLE operations (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(vars) = 'object'),
    company_id uuid,
    number text NOT NULL CHECK (char_length(number) BETWEEN 1 AND 64),
    kind text NOT NULL CHECK (kind IN ('receive', 'move', 'pick', 'count')),
    state text NOT NULL CHECK (state IN ('draft', 'done', 'cancelled')),
    source_id uuid,
    note text CHECK (char_length(note) BETWEEN 0 AND 2000),
    completed_at timestamp with time zone,
    CONSTRAINT operations_number_key UNIQUE NULLS NOT DISTINCT (company_id, number)
);
CREATE INDEX operations_by_lsn ON operations (company_id, lsn);
CREATE INDEX operations_by_kind ON operations (company_id, kind, lsn);
CREATE INDEX operations_by_state ON operations (company_id, state, lsn);
CREATE INDEX operations_by_source_id ON operations (company_id, source_id, lsn);
-- What an order or a receipt asks for is done once, whatever is delivered twice.
CREATE UNIQUE INDEX operations_once ON operations (source_id, kind, company_id) NULLS NOT DISTINCT
    WHERE source_id IS NOT NULL;
CREATE TRIGGER operations_keep_base BEFORE UPDATE ON operations
    FOR EACH ROW EXECUTE FUNCTION keep_base_columns();

CREATE TABLE operation_lines (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(vars) = 'object'),
    company_id uuid,
    operation_id uuid NOT NULL,
    product_id uuid NOT NULL,
    location_id uuid NOT NULL,
    to_location_id uuid,
    quantity bigint NOT NULL CHECK (quantity BETWEEN 0 AND 2147483647),
    CONSTRAINT operation_lines_operation_id_fkey FOREIGN KEY (operation_id) REFERENCES operations(id) ON DELETE CASCADE,
    CONSTRAINT operation_lines_location_id_fkey FOREIGN KEY (location_id) REFERENCES locations(id) ON DELETE RESTRICT,
    CONSTRAINT operation_lines_to_location_id_fkey
        FOREIGN KEY (to_location_id) REFERENCES locations(id) ON DELETE RESTRICT
);
CREATE INDEX operation_lines_by_lsn ON operation_lines (company_id, lsn);
CREATE INDEX operation_lines_by_product_id ON operation_lines (company_id, product_id, lsn);
CREATE INDEX operation_lines_operation_id ON operation_lines (operation_id);
CREATE INDEX operation_lines_location_id ON operation_lines (location_id);
CREATE INDEX operation_lines_to_location_id ON operation_lines (to_location_id);
CREATE TRIGGER operation_lines_keep_base BEFORE UPDATE ON operation_lines
    FOR EACH ROW EXECUTE FUNCTION keep_base_columns();

-- How much of a product lies where; the sum over the locations is on_hand.
CREATE TABLE location_levels (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(vars) = 'object'),
    company_id uuid,
    location_id uuid NOT NULL,
    product_id uuid NOT NULL REFERENCES stock_levels (product_id),
    quantity bigint NOT NULL CHECK (quantity >= 0),
    UNIQUE (product_id, location_id),
    CONSTRAINT location_levels_location_id_fkey FOREIGN KEY (location_id) REFERENCES locations(id) ON DELETE RESTRICT
);
CREATE INDEX location_levels_by_lsn ON location_levels (company_id, lsn);
CREATE INDEX location_levels_by_product_id ON location_levels (company_id, product_id, lsn);
CREATE INDEX location_levels_location_id ON location_levels (location_id);
CREATE TRIGGER location_levels_keep_base BEFORE UPDATE ON location_levels
    FOR EACH ROW EXECUTE FUNCTION keep_base_columns();

ALTER TABLE stock_levels ALTER COLUMN on_hand TYPE bigint, ALTER COLUMN reserved TYPE bigint;
ALTER TABLE stock_levels ADD COLUMN available bigint NOT NULL
    GENERATED ALWAYS AS (CASE WHEN discontinued_at IS NULL THEN on_hand - reserved ELSE 0 END) STORED;
CREATE INDEX stock_levels_by_lsn ON stock_levels (company_id, lsn);
CREATE TRIGGER stock_levels_keep_base BEFORE UPDATE ON stock_levels
    FOR EACH ROW EXECUTE FUNCTION keep_base_columns();
CREATE INDEX reservations_by_lsn ON reservations (company_id, lsn);
CREATE INDEX reservations_by_state ON reservations (company_id, state, lsn);
CREATE TRIGGER reservations_keep_base BEFORE UPDATE ON reservations
    FOR EACH ROW EXECUTE FUNCTION keep_base_columns();

-- What is there already lies at one location, and one count of each company explains it.
INSERT INTO locations (id, company_id, code, name)
SELECT gen_random_uuid(), company_id, 'MAIN', 'Main warehouse' FROM (SELECT DISTINCT company_id FROM stock_levels) c;
INSERT INTO operations (id, company_id, number, kind, state, note, completed_at)
SELECT gen_random_uuid(), company_id, 'OPENING', 'count', 'done', 'What was there before there were operations.', now()
FROM locations;
INSERT INTO operation_lines (id, company_id, operation_id, product_id, location_id, quantity)
SELECT gen_random_uuid(), s.company_id, o.id, s.product_id, l.id, s.on_hand
FROM stock_levels s
JOIN locations l ON l.company_id IS NOT DISTINCT FROM s.company_id
JOIN operations o ON o.company_id IS NOT DISTINCT FROM s.company_id;
INSERT INTO location_levels (id, company_id, location_id, product_id, quantity)
SELECT gen_random_uuid(), s.company_id, l.id, s.product_id, s.on_hand
FROM stock_levels s JOIN locations l ON l.company_id IS NOT DISTINCT FROM s.company_id;

ALTER TABLE stock_movements ADD COLUMN operation_id uuid, ADD COLUMN location_id uuid;
UPDATE stock_movements m SET operation_id = o.id, location_id = l.id
FROM locations l JOIN operations o ON o.company_id IS NOT DISTINCT FROM l.company_id
WHERE l.company_id IS NOT DISTINCT FROM m.company_id;
ALTER TABLE stock_movements
    ALTER COLUMN operation_id SET NOT NULL,
    ALTER COLUMN location_id SET NOT NULL,
    ALTER COLUMN quantity TYPE bigint,
    ADD CONSTRAINT stock_movements_operation_id_fkey
        FOREIGN KEY (operation_id) REFERENCES operations(id) ON DELETE RESTRICT,
    ADD CONSTRAINT stock_movements_location_id_fkey FOREIGN KEY (location_id) REFERENCES locations(id) ON DELETE RESTRICT,
    DROP CONSTRAINT stock_movements_reason_check,
    ADD CONSTRAINT stock_movements_reason_check CHECK (
        reason IN ('initial', 'adjusted', 'sold', 'returned', 'received', 'moved', 'picked', 'counted'));
DROP INDEX stock_movements_once;
CREATE UNIQUE INDEX stock_movements_once ON stock_movements (order_id, product_id, reason, location_id)
    WHERE order_id IS NOT NULL;
CREATE INDEX stock_movements_by_lsn ON stock_movements (company_id, lsn);
CREATE INDEX stock_movements_by_product_id ON stock_movements (company_id, product_id, lsn);
CREATE INDEX stock_movements_operation_id ON stock_movements (operation_id);
CREATE INDEX stock_movements_location_id ON stock_movements (location_id);
CREATE TRIGGER stock_movements_keep_base BEFORE UPDATE ON stock_movements
    FOR EACH ROW EXECUTE FUNCTION keep_base_columns();

-- The only thing that changes on_hand and what lies where: both are the sums of the movements. The product's row comes
-- first, so that it holds everybody else off.
CREATE FUNCTION book_stock_movements() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE stock_levels l SET on_hand = l.on_hand + m.quantity
    FROM (SELECT product_id, sum(quantity)::bigint AS quantity FROM moved GROUP BY product_id) m
    WHERE l.product_id = m.product_id;
    MERGE INTO location_levels l
    USING (SELECT company_id, location_id, product_id, sum(quantity)::bigint AS quantity
           FROM moved GROUP BY company_id, location_id, product_id) m
    ON l.product_id = m.product_id AND l.location_id = m.location_id
    WHEN MATCHED THEN UPDATE SET quantity = l.quantity + m.quantity
    WHEN NOT MATCHED THEN INSERT (id, company_id, location_id, product_id, quantity)
        VALUES (gen_random_uuid(), m.company_id, m.location_id, m.product_id, m.quantity);
    RETURN NULL;
END
$$;
CREATE TRIGGER stock_movements_book AFTER INSERT ON stock_movements
    REFERENCING NEW TABLE AS moved FOR EACH STATEMENT EXECUTE FUNCTION book_stock_movements();

-- down
DROP TRIGGER stock_movements_book ON stock_movements;
DROP FUNCTION book_stock_movements;
DROP TRIGGER stock_movements_keep_base ON stock_movements;
DROP INDEX stock_movements_by_lsn;
DROP INDEX stock_movements_by_product_id;
-- What only locations tell apart is nothing without them.
DELETE FROM stock_movements WHERE reason = 'moved';
UPDATE stock_movements SET reason = 'adjusted' WHERE reason IN ('received', 'picked', 'counted');
DROP INDEX stock_movements_once;
CREATE TEMPORARY TABLE joined_movements ON COMMIT DROP AS
SELECT (array_agg(id))[1] AS id, order_id, product_id, reason, sum(quantity) AS quantity
FROM stock_movements WHERE order_id IS NOT NULL GROUP BY order_id, product_id, reason;
DELETE FROM stock_movements WHERE order_id IS NOT NULL AND id NOT IN (SELECT id FROM joined_movements);
UPDATE stock_movements m SET quantity = j.quantity FROM joined_movements j WHERE j.id = m.id;
ALTER TABLE stock_movements
    DROP COLUMN operation_id,
    DROP COLUMN location_id,
    DROP CONSTRAINT stock_movements_reason_check,
    ALTER COLUMN quantity TYPE integer,
    ADD CONSTRAINT stock_movements_reason_check CHECK (reason IN ('initial', 'adjusted', 'sold', 'returned'));
CREATE UNIQUE INDEX stock_movements_once ON stock_movements (order_id, product_id, reason) WHERE order_id IS NOT NULL;
DROP TRIGGER reservations_keep_base ON reservations;
DROP INDEX reservations_by_lsn;
DROP INDEX reservations_by_state;
DROP TRIGGER stock_levels_keep_base ON stock_levels;
DROP INDEX stock_levels_by_lsn;
ALTER TABLE stock_levels DROP COLUMN available;
ALTER TABLE stock_levels ALTER COLUMN on_hand TYPE integer, ALTER COLUMN reserved TYPE integer;
DROP TABLE location_levels;
DROP TABLE operation_lines;
DROP TABLE operations;
DROP TABLE locations;
