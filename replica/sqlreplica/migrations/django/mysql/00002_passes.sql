-- +goose Up

-- What was said again of a user who is as in codegrant_users: when last, and the
-- last pass over the whole pool that said it. The rows are narrow, because a pass
-- writes one for everybody who has not changed.
CREATE TABLE IF NOT EXISTS codegrant_confirmations (
    user_id      INTEGER NOT NULL PRIMARY KEY,
    as_of        DATETIME(6) NOT NULL,
    groups_as_of DATETIME(6) NULL,
    pass         VARCHAR(64) NOT NULL,
    CONSTRAINT codegrant_confirmations_user_fk FOREIGN KEY (user_id) REFERENCES codegrant_users (id) ON DELETE CASCADE
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = /*!80017 utf8mb4_0900_bin */ /*M! utf8mb4_nopad_bin */;

-- deleted_at is when a pass did not find the user in the pool, and pass the one
-- that made the row what it is. MySQL has no ADD COLUMN IF NOT EXISTS.
SET @codegrant_alter = IF(
    EXISTS (SELECT 1 FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name = 'codegrant_users' AND column_name = 'deleted_at'),
    'DO 0',
    'ALTER TABLE codegrant_users ADD COLUMN deleted_at DATETIME(6) NULL, ADD COLUMN pass VARCHAR(64) NOT NULL DEFAULT ''''');
PREPARE codegrant_alter FROM @codegrant_alter;
EXECUTE codegrant_alter;
DEALLOCATE PREPARE codegrant_alter;
