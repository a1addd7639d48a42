-- up
-- What the catalog said last of the product, so that a late event changes nothing.
ALTER TABLE stock_levels
    ADD COLUMN catalog_revision bigint NOT NULL DEFAULT 1,
    ADD COLUMN catalog_stock_count integer NOT NULL DEFAULT 0,
    ADD COLUMN discontinued_at timestamptz;
UPDATE stock_levels SET catalog_stock_count = quantity
FROM stock_movements
WHERE stock_movements.product_id = stock_levels.product_id AND reason = 'initial';

-- down
ALTER TABLE stock_levels
    DROP COLUMN catalog_revision,
    DROP COLUMN catalog_stock_count,
    DROP COLUMN discontinued_at;
