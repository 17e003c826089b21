-- +goose Up

-- What was said again of a user who is as in codegrant_users: when last, and the
-- last pass over the whole pool that said it. The rows are narrow, because a pass
-- writes one for everybody who has not changed.
CREATE TABLE codegrant_confirmations (
    user_id      INTEGER PRIMARY KEY REFERENCES codegrant_users (id) ON DELETE CASCADE,
    as_of        TEXT NOT NULL,
    groups_as_of TEXT,
    pass         TEXT NOT NULL
);

ALTER TABLE codegrant_users ADD COLUMN deleted_at TEXT; -- when a pass did not find the user in the pool
ALTER TABLE codegrant_users ADD COLUMN pass TEXT NOT NULL DEFAULT ''; -- that made the row what it is
