-- +goose Up

-- That somebody was erased: when, by whom, and how much it was. It has nothing of the
-- person, their former row and subject included.
CREATE TABLE codegrant_erasures (
    id        TEXT NOT NULL PRIMARY KEY, -- drawn
    erased_at TEXT NOT NULL,
    erased_by TEXT NOT NULL, -- who has said so
    removed   TEXT NOT NULL -- a JSON object of numbers
);
