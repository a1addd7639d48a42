-- up
ALTER TABLE deliveries ADD COLUMN order_id text NOT NULL DEFAULT '';
-- The trace of the event, so that sending belongs to it.
ALTER TABLE deliveries ADD COLUMN context jsonb NOT NULL DEFAULT '{}';
ALTER TABLE deliveries ADD COLUMN sent_at timestamptz;
-- Why the last attempt failed: a fixed word, never an address.
ALTER TABLE deliveries ADD COLUMN last_error text;
CREATE INDEX deliveries_order ON deliveries (order_id, lsn);

-- The audit trail is written once: what happened cannot be made not to have happened.
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit_log is append-only';
END
$$;
CREATE TRIGGER audit_log_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- down
DROP TRIGGER audit_log_append_only ON audit_log;
DROP FUNCTION refuse_change();
DROP INDEX deliveries_order;
ALTER TABLE deliveries DROP COLUMN last_error;
ALTER TABLE deliveries DROP COLUMN sent_at;
ALTER TABLE deliveries DROP COLUMN context;
ALTER TABLE deliveries DROP COLUMN order_id;
