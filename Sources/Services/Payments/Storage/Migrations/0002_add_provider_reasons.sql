-- up
-- Why the provider refused; until now the limit was the only reason.
ALTER TABLE provider_ledger ADD COLUMN reason text;

-- down
ALTER TABLE provider_ledger DROP COLUMN reason;
