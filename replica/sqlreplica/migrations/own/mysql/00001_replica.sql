-- +goose Up

-- These engines commit each statement by itself. Every one can be repeated, so
-- that a migration which was cut off goes on where it stopped.
--
-- Text is compared as bytes, trailing spaces included. MySQL and MariaDB call
-- that collation by different names, and each skips the comment for the other.
-- Times are DATETIME(6) in UTC.
CREATE TABLE IF NOT EXISTS codegrant_users (
    id                    BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    issuer                VARCHAR(255) NOT NULL,
    subject               VARCHAR(255) NOT NULL,
    username              TEXT NOT NULL,
    email                 TEXT NOT NULL,
    email_verified        BOOLEAN NOT NULL,
    name                  TEXT NOT NULL,
    given_name            TEXT NOT NULL,
    family_name           TEXT NOT NULL,
    phone_number          TEXT NOT NULL,
    phone_number_verified BOOLEAN NOT NULL,
    locale                TEXT NOT NULL,
    custom                JSON NOT NULL, -- an object of strings
    enabled               BOOLEAN NOT NULL,
    status                TEXT NOT NULL,
    first_sign_in         DATETIME(6) NULL,
    last_sign_in          DATETIME(6) NULL,
    created_at            DATETIME(6) NOT NULL,
    updated_at            DATETIME(6) NOT NULL,
    as_of                 DATETIME(6) NOT NULL,
    groups_as_of          DATETIME(6) NULL,
    search_username       VARCHAR(255) NOT NULL,
    search_email          VARCHAR(255) NOT NULL,
    search_name           VARCHAR(255) NOT NULL,
    search_family_name    VARCHAR(255) NOT NULL,
    UNIQUE KEY codegrant_users_subject (issuer, subject),
    KEY codegrant_users_issuer (issuer, id),
    KEY codegrant_users_search_username (search_username),
    KEY codegrant_users_search_email (search_email),
    KEY codegrant_users_search_name (search_name),
    KEY codegrant_users_search_family_name (search_family_name)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = /*!80017 utf8mb4_0900_bin */ /*M! utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS codegrant_groups (
    id         BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    issuer     VARCHAR(255) NOT NULL,
    name       VARCHAR(512) NOT NULL,
    origin     VARCHAR(16) NOT NULL, -- pool, provider or local
    precedence BIGINT NULL,
    created_at DATETIME(6) NOT NULL,
    updated_at DATETIME(6) NOT NULL,
    as_of      DATETIME(6) NULL,
    UNIQUE KEY codegrant_groups_name (name, issuer),
    KEY codegrant_groups_issuer (issuer, id)
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = /*!80017 utf8mb4_0900_bin */ /*M! utf8mb4_nopad_bin */;

CREATE TABLE IF NOT EXISTS codegrant_memberships (
    user_id    BIGINT NOT NULL,
    group_id   BIGINT NOT NULL,
    from_pool  BOOLEAN NOT NULL, -- the pool states it
    from_local BOOLEAN NOT NULL, -- it was granted here
    PRIMARY KEY (user_id, group_id),
    KEY codegrant_memberships_group (group_id, user_id),
    CONSTRAINT codegrant_memberships_user_fk FOREIGN KEY (user_id) REFERENCES codegrant_users (id) ON DELETE CASCADE,
    CONSTRAINT codegrant_memberships_group_fk FOREIGN KEY (group_id) REFERENCES codegrant_groups (id) ON DELETE CASCADE
) ENGINE = InnoDB ROW_FORMAT = DYNAMIC DEFAULT CHARSET = utf8mb4 COLLATE = /*!80017 utf8mb4_0900_bin */ /*M! utf8mb4_nopad_bin */;

-- The oldest version of this schema whose code can work with it as it is now.
CREATE TABLE IF NOT EXISTS codegrant_replica_schema (
    id            INTEGER NOT NULL PRIMARY KEY,
    readable_from INTEGER NOT NULL
) ENGINE = InnoDB;
INSERT IGNORE INTO codegrant_replica_schema (id, readable_from) VALUES (1, 1);
