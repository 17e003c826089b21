-- +goose Up

-- Memberships that the pool has stated, as long as there are the user and the group. When
-- one is gone, a Python backend whose session holds an ID token from before makes it again
-- with each request: it is nobody's word then.
CREATE TABLE IF NOT EXISTS codegrant_stated (
    user_id  INTEGER NOT NULL,
    group_id INTEGER NOT NULL,
    PRIMARY KEY (user_id, group_id),
    CONSTRAINT codegrant_stated_user_fk FOREIGN KEY (user_id) REFERENCES auth_user (id) ON DELETE CASCADE,
    CONSTRAINT codegrant_stated_group_fk FOREIGN KEY (group_id) REFERENCES auth_group (id) ON DELETE CASCADE
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = /*!80017 utf8mb4_0900_bin */ /*M! utf8mb4_nopad_bin */;
INSERT IGNORE INTO codegrant_stated (user_id, group_id) SELECT user_id, group_id FROM codegrant_memberships WHERE from_pool;
