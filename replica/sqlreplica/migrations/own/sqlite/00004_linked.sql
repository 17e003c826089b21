-- +goose Up

-- Whose identity a row is, where a person has several: the row whose id is theirs, which
-- is linked to no other. Everything else in a row is of the identity alone. Where the
-- person is gone, the identity is a person of its own again.
ALTER TABLE codegrant_users ADD COLUMN linked_to INTEGER REFERENCES codegrant_users (id) ON DELETE SET NULL;
ALTER TABLE codegrant_users ADD COLUMN linked_at TEXT;
ALTER TABLE codegrant_users ADD COLUMN linked_by TEXT; -- who has said so
CREATE INDEX codegrant_users_linked ON codegrant_users (linked_to) WHERE linked_to IS NOT NULL;
