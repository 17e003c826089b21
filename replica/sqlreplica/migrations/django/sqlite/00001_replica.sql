-- +goose Up

-- What Django has no column for, in rows beside its own. Times are TEXT in UTC, as
-- Django writes them where USE_TZ is set.
CREATE TABLE codegrant_users (
    id                    INTEGER PRIMARY KEY REFERENCES auth_user (id) ON DELETE CASCADE,
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
    deactivated           BOOLEAN NOT NULL, -- is_active is false because the pool said so
    UNIQUE (issuer, subject)
);
CREATE INDEX codegrant_users_issuer ON codegrant_users (issuer, id);
CREATE INDEX codegrant_users_search_username ON codegrant_users (search_username);
CREATE INDEX codegrant_users_search_email ON codegrant_users (search_email);
CREATE INDEX codegrant_users_search_name ON codegrant_users (search_name);
CREATE INDEX codegrant_users_search_family_name ON codegrant_users (search_family_name);

CREATE TABLE codegrant_groups (
    id         INTEGER PRIMARY KEY REFERENCES auth_group (id) ON DELETE CASCADE,
    issuer     TEXT NOT NULL,
    origin     TEXT NOT NULL, -- pool, provider or local
    precedence INTEGER,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    as_of      TEXT
);

-- A membership of Django's without a row here was made by Django.
CREATE TABLE codegrant_memberships (
    user_id    INTEGER NOT NULL,
    group_id   INTEGER NOT NULL,
    from_pool  BOOLEAN NOT NULL, -- the pool states it
    from_local BOOLEAN NOT NULL, -- and it was granted here
    PRIMARY KEY (user_id, group_id),
    FOREIGN KEY (user_id, group_id) REFERENCES auth_user_groups (user_id, group_id) ON DELETE CASCADE
) WITHOUT ROWID;

-- The oldest version of this schema whose code can work with it as it is now.
CREATE TABLE codegrant_replica_schema (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    readable_from INTEGER NOT NULL
);
INSERT INTO codegrant_replica_schema (id, readable_from) VALUES (1, 1);
