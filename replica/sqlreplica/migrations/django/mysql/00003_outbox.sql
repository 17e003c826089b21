-- +goose Up

-- Changes for those who hear of them afterwards, where that is turned on. There is
-- no reference to codegrant_users: what happened to somebody outlives them.
CREATE TABLE IF NOT EXISTS codegrant_outbox (
    id         BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, -- in the order of the changes of one person, of nothing else
    created_at DATETIME(6) NOT NULL,
    issuer     VARCHAR(255) NOT NULL,
    subject    VARCHAR(255) NOT NULL,
    record     JSON NOT NULL -- an object, as docs/changes.md has it
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = /*!80017 utf8mb4_0900_bin */ /*M! utf8mb4_nopad_bin */;
