-- +goose Up

-- Memberships that the pool has stated, as long as there are the user and the group. When
-- one is gone, a Python backend whose session holds an ID token from before makes it again
-- with each request: it is nobody's word then.
CREATE TABLE codegrant_stated (
    user_id  INTEGER NOT NULL REFERENCES auth_user (id) ON DELETE CASCADE,
    group_id INTEGER NOT NULL REFERENCES auth_group (id) ON DELETE CASCADE,
    PRIMARY KEY (user_id, group_id)
) WITHOUT ROWID;
CREATE INDEX codegrant_stated_group ON codegrant_stated (group_id);
INSERT INTO codegrant_stated (user_id, group_id) SELECT user_id, group_id FROM codegrant_memberships WHERE from_pool;
