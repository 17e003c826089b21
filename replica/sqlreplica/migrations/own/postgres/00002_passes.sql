-- +goose Up

-- What was said again of a user who is as in codegrant_users: when last, and the
-- last pass over the whole pool that said it. The rows are narrow, and rewritten
-- in place, because a pass writes one for everybody who has not changed.
CREATE TABLE codegrant_confirmations (
    user_id      bigint PRIMARY KEY REFERENCES codegrant_users (id) ON DELETE CASCADE,
    as_of        timestamptz NOT NULL,
    groups_as_of timestamptz,
    pass         text COLLATE "C" NOT NULL
) WITH (fillfactor = 50);

ALTER TABLE codegrant_users
    ADD COLUMN deleted_at timestamptz, -- when a pass did not find the user in the pool
    ADD COLUMN pass text COLLATE "C" NOT NULL DEFAULT ''; -- that made the row what it is
