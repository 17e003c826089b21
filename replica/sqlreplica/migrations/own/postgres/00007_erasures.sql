-- +goose Up

-- That somebody was erased: when, by whom, and how much it was. It has nothing of the
-- person, their former row and subject included.
CREATE TABLE codegrant_erasures (
    id        text NOT NULL PRIMARY KEY, -- drawn
    erased_at timestamptz NOT NULL,
    erased_by text NOT NULL, -- who has said so
    removed   text NOT NULL -- a JSON object of numbers
);
