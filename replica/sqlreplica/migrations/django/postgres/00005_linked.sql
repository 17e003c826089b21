-- +goose Up

-- Whose identity a row is, where a person has several: the row whose id is theirs, which
-- is linked to no other. Everything else in a row is of the identity alone. Where the
-- person is gone, the identity is a person of its own again.
ALTER TABLE codegrant_users
    ADD COLUMN linked_to bigint REFERENCES codegrant_users (id) ON DELETE SET NULL,
    ADD COLUMN linked_at timestamptz,
    ADD COLUMN linked_by text, -- who has said so
    ADD COLUMN was_active boolean; -- is_active of the account when it was linked
CREATE INDEX codegrant_users_linked ON codegrant_users (linked_to) WHERE linked_to IS NOT NULL;
