-- +goose Up

-- When a membership was written here. The database says so, so that programs which do not
-- know of it yet leave no gap. Of memberships from before, nobody knows.
-- MySQL has no ADD COLUMN IF NOT EXISTS.
SET @codegrant_alter = IF(
    EXISTS (SELECT 1 FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'codegrant_memberships' AND column_name = 'since'),
    'DO 0',
    'ALTER TABLE codegrant_memberships ADD COLUMN since DATETIME(6) NULL');
PREPARE codegrant_alter FROM @codegrant_alter;
EXECUTE codegrant_alter;
DEALLOCATE PREPARE codegrant_alter;
ALTER TABLE codegrant_memberships MODIFY COLUMN since DATETIME(6) NULL DEFAULT (UTC_TIMESTAMP(6));
