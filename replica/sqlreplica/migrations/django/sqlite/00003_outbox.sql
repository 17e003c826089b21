-- +goose Up

-- Changes for those who hear of them afterwards, where that is turned on. There is
-- no reference to codegrant_users: what happened to somebody outlives them.
CREATE TABLE codegrant_outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT, -- in the order of the changes of one person, of nothing else
    created_at TEXT NOT NULL,
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    record     TEXT NOT NULL -- a JSON object, as docs/changes.md has it
);
