-- +goose Up

-- That somebody was erased: when, by whom, and how much it was. It has nothing of the
-- person, their former row and subject included.
CREATE TABLE IF NOT EXISTS codegrant_erasures (
    id        VARCHAR(64) NOT NULL PRIMARY KEY, -- drawn
    erased_at DATETIME(6) NOT NULL,
    erased_by TEXT NOT NULL, -- who has said so
    removed   TEXT NOT NULL -- a JSON object of numbers
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = /*!80017 utf8mb4_0900_bin */ /*M! utf8mb4_nopad_bin */;
