-- up
-- So that the sum of a user's orders is read from the index alone.
CREATE INDEX spendings_by_user ON spendings (user_id) INCLUDE (amount, is_refunded);

-- down
DROP INDEX spendings_by_user;
