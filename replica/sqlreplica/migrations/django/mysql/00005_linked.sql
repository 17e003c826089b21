-- +goose Up

-- Whose identity a row is, where a person has several: the row whose id is theirs, which
-- is linked to no other. Everything else in a row is of the identity alone. Where the
-- person is gone, the identity is a person of its own again.
-- MySQL has no ADD COLUMN IF NOT EXISTS.
SET @codegrant_alter = IF(
    EXISTS (SELECT 1 FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'codegrant_users' AND column_name = 'linked_to'),
    'DO 0',
    'ALTER TABLE codegrant_users ADD COLUMN linked_to INTEGER NULL, ADD COLUMN linked_at DATETIME(6) NULL, ADD COLUMN linked_by TEXT NULL, ADD COLUMN was_active BOOLEAN NULL, ADD KEY codegrant_users_linked (linked_to), ADD CONSTRAINT codegrant_users_linked_fk FOREIGN KEY (linked_to) REFERENCES codegrant_users (id) ON DELETE SET NULL');
PREPARE codegrant_alter FROM @codegrant_alter;
EXECUTE codegrant_alter;
DEALLOCATE PREPARE codegrant_alter;
