-- +goose Up

-- Memberships that the pool took away. A Python backend whose session holds an ID token
-- from before gives them again with each request: they are nobody's word then.
CREATE TABLE codegrant_taken (
    user_id  INTEGER NOT NULL REFERENCES auth_user (id) ON DELETE CASCADE,
    group_id INTEGER NOT NULL REFERENCES auth_group (id) ON DELETE CASCADE,
    taken_at TEXT NOT NULL,
    PRIMARY KEY (user_id, group_id)
) WITHOUT ROWID;
CREATE INDEX codegrant_taken_group ON codegrant_taken (group_id);
