-- +goose Up

-- What the pool said of somebody until it said something else, where that is kept. The
-- row of codegrant_users is how they are now, so nobody who never changes has a row
-- here, and what is too old can be removed without a look at anything else.
CREATE TABLE IF NOT EXISTS codegrant_history (
    id      BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    user_id BIGINT NOT NULL,
    until   DATETIME(6) NOT NULL, -- when it stopped to be so
    record  JSON NOT NULL, -- the user of docs/changes.md
    KEY codegrant_history_user (user_id, id),
    KEY codegrant_history_until (until),
    CONSTRAINT codegrant_history_user_fk FOREIGN KEY (user_id) REFERENCES codegrant_users (id) ON DELETE CASCADE
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = /*!80017 utf8mb4_0900_bin */ /*M! utf8mb4_nopad_bin */;

-- What groups of the pool are, from when, and until when: null, they still are.
CREATE TABLE IF NOT EXISTS codegrant_group_history (
    id          BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    issuer      VARCHAR(255) NOT NULL,
    name        VARCHAR(512) NOT NULL,
    precedence  BIGINT NULL,
    description TEXT NOT NULL,
    role_arn    TEXT NOT NULL,
    since       DATETIME(6) NOT NULL,
    until       DATETIME(6) NULL,
    KEY codegrant_group_history_name (issuer, name)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = /*!80017 utf8mb4_0900_bin */ /*M! utf8mb4_nopad_bin */;

-- Since when every change is in these tables. No row: not every change is.
CREATE TABLE IF NOT EXISTS codegrant_history_start (
    id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    since DATETIME(6) NOT NULL
) ENGINE = InnoDB;
