-- up
-- Grows with every change, so that consumers of events recognise a late one.
ALTER TABLE products ADD COLUMN revision bigint NOT NULL DEFAULT 1;

-- down
ALTER TABLE products DROP COLUMN revision;
