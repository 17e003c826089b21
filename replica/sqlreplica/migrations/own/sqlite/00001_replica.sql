-- +goose Up

-- Times are TEXT in UTC, 'YYYY-MM-DD HH:MM:SS.ffffff': they sort, and SQLite's
-- own date functions read them.
CREATE TABLE codegrant_users (
    id                    INTEGER PRIMARY KEY AUTOINCREMENT,
    issuer                TEXT NOT NULL,
    subject               TEXT NOT NULL,
    username              TEXT NOT NULL,
    email                 TEXT NOT NULL,
    email_verified        BOOLEAN NOT NULL,
    name                  TEXT NOT NULL,
    given_name            TEXT NOT NULL,
    family_name           TEXT NOT NULL,
    phone_number          TEXT NOT NULL,
    phone_number_verified BOOLEAN NOT NULL,
    locale                TEXT NOT NULL,
    custom                TEXT NOT NULL, -- a JSON object of strings
    enabled               BOOLEAN NOT NULL,
    status                TEXT NOT NULL,
    first_sign_in         TEXT,
    last_sign_in          TEXT,
    created_at            TEXT NOT NULL,
    updated_at            TEXT NOT NULL,
    as_of                 TEXT NOT NULL,
    groups_as_of          TEXT,
    search_username       TEXT NOT NULL,
    search_email          TEXT NOT NULL,
    search_name           TEXT NOT NULL,
    search_family_name    TEXT NOT NULL,
    UNIQUE (issuer, subject)
);
CREATE INDEX codegrant_users_issuer ON codegrant_users (issuer, id);
CREATE INDEX codegrant_users_search_username ON codegrant_users (search_username);
CREATE INDEX codegrant_users_search_email ON codegrant_users (search_email);
CREATE INDEX codegrant_users_search_name ON codegrant_users (search_name);
CREATE INDEX codegrant_users_search_family_name ON codegrant_users (search_family_name);

CREATE TABLE codegrant_groups (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    issuer     TEXT NOT NULL,
    name       TEXT NOT NULL,
    origin     TEXT NOT NULL, -- pool, provider or local
    precedence INTEGER,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    as_of      TEXT,
    UNIQUE (issuer, name)
);
CREATE INDEX codegrant_groups_issuer ON codegrant_groups (issuer, id);

CREATE TABLE codegrant_memberships (
    user_id    INTEGER NOT NULL REFERENCES codegrant_users (id) ON DELETE CASCADE,
    group_id   INTEGER NOT NULL REFERENCES codegrant_groups (id) ON DELETE CASCADE,
    from_pool  BOOLEAN NOT NULL, -- the pool states it
    from_local BOOLEAN NOT NULL, -- it was granted here
    PRIMARY KEY (user_id, group_id)
) WITHOUT ROWID;
CREATE INDEX codegrant_memberships_group ON codegrant_memberships (group_id, user_id);

-- The oldest version of this schema whose code can work with it as it is now.
CREATE TABLE codegrant_replica_schema (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    readable_from INTEGER NOT NULL
);
INSERT INTO codegrant_replica_schema (id, readable_from) VALUES (1, 1);
