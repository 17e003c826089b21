-- +goose Up

-- What the pool said of somebody until it said something else, where that is kept. The
-- row of codegrant_users is how they are now, so nobody who never changes has a row
-- here, and what is too old can be removed without a look at anything else.
CREATE TABLE codegrant_history (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    user_id INTEGER NOT NULL REFERENCES codegrant_users (id) ON DELETE CASCADE,
    until   TEXT NOT NULL, -- when it stopped to be so
    record  TEXT NOT NULL -- the user of docs/changes.md
);
CREATE INDEX codegrant_history_user ON codegrant_history (user_id, id);
CREATE INDEX codegrant_history_until ON codegrant_history (until);

-- What groups of the pool are, from when, and until when: null, they still are.
CREATE TABLE codegrant_group_history (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    issuer      TEXT NOT NULL,
    name        TEXT NOT NULL,
    precedence  INTEGER,
    description TEXT NOT NULL,
    role_arn    TEXT NOT NULL,
    since       TEXT NOT NULL,
    until       TEXT
);
CREATE INDEX codegrant_group_history_name ON codegrant_group_history (issuer, name);

-- Since when every change is in these tables. No row: not every change is.
CREATE TABLE codegrant_history_start (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    since TEXT NOT NULL
);
