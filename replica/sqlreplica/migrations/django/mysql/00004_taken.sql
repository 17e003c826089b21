-- +goose Up

-- Memberships that the pool took away. A Python backend whose session holds an ID token
-- from before gives them again with each request: they are nobody's word then.
CREATE TABLE IF NOT EXISTS codegrant_taken (
    user_id  INTEGER NOT NULL,
    group_id INTEGER NOT NULL,
    taken_at DATETIME(6) NOT NULL,
    PRIMARY KEY (user_id, group_id),
    CONSTRAINT codegrant_taken_user_fk FOREIGN KEY (user_id) REFERENCES auth_user (id) ON DELETE CASCADE,
    CONSTRAINT codegrant_taken_group_fk FOREIGN KEY (group_id) REFERENCES auth_group (id) ON DELETE CASCADE
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = /*!80017 utf8mb4_0900_bin */ /*M! utf8mb4_nopad_bin */;
