-- up
CREATE TABLE products (
    id uuid PRIMARY KEY,
    lsn bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    vars jsonb NOT NULL DEFAULT '{}',
    company_id uuid,
    name text NOT NULL,
    category text NOT NULL,
    price numeric(18, 2) NOT NULL CHECK (price > 0),
    stock_count integer NOT NULL CHECK (stock_count >= 0),
    description text,
    manufacturer text
);
CREATE INDEX products_by_name ON products (category, name, lsn);
CREATE INDEX products_by_price ON products (category, price, lsn);

-- down
DROP TABLE products;
