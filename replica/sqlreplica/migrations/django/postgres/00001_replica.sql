-- +goose Up

-- What Django has no column for, in rows beside its own.
--
-- What is compared is compared as bytes (COLLATE "C"), whatever the database's
-- collation is; what people read is sorted as the database sorts.
CREATE TABLE codegrant_users (
    id                    bigint PRIMARY KEY REFERENCES auth_user (id) ON DELETE CASCADE,
    issuer                text COLLATE "C" NOT NULL,
    subject               text COLLATE "C" NOT NULL,
    username              text COLLATE "C" NOT NULL,
    email                 text COLLATE "C" NOT NULL,
    email_verified        boolean NOT NULL,
    name                  text NOT NULL,
    given_name            text NOT NULL,
    family_name           text NOT NULL,
    phone_number          text NOT NULL,
    phone_number_verified boolean NOT NULL,
    locale                text NOT NULL,
    custom                jsonb NOT NULL, -- an object of strings
    enabled               boolean NOT NULL,
    status                text NOT NULL,
    first_sign_in         timestamptz,
    last_sign_in          timestamptz,
    created_at            timestamptz NOT NULL,
    updated_at            timestamptz NOT NULL,
    as_of                 timestamptz NOT NULL,
    groups_as_of          timestamptz,
    search_username       text COLLATE "C" NOT NULL,
    search_email          text COLLATE "C" NOT NULL,
    search_name           text COLLATE "C" NOT NULL,
    search_family_name    text COLLATE "C" NOT NULL,
    deactivated           boolean NOT NULL, -- is_active is false because the pool said so
    UNIQUE (issuer, subject)
);
CREATE INDEX codegrant_users_issuer ON codegrant_users (issuer, id);
CREATE INDEX codegrant_users_search_username ON codegrant_users (search_username);
CREATE INDEX codegrant_users_search_email ON codegrant_users (search_email);
CREATE INDEX codegrant_users_search_name ON codegrant_users (search_name);
CREATE INDEX codegrant_users_search_family_name ON codegrant_users (search_family_name);

CREATE TABLE codegrant_groups (
    id         bigint PRIMARY KEY REFERENCES auth_group (id) ON DELETE CASCADE,
    issuer     text COLLATE "C" NOT NULL,
    origin     text NOT NULL, -- pool, provider or local
    precedence bigint,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    as_of      timestamptz
);

-- A membership of Django's without a row here was made by Django.
CREATE TABLE codegrant_memberships (
    user_id    bigint NOT NULL,
    group_id   bigint NOT NULL,
    from_pool  boolean NOT NULL, -- the pool states it
    from_local boolean NOT NULL, -- and it was granted here
    PRIMARY KEY (user_id, group_id),
    FOREIGN KEY (user_id, group_id) REFERENCES auth_user_groups (user_id, group_id) ON DELETE CASCADE
);

-- The oldest version of this schema whose code can work with it as it is now.
CREATE TABLE codegrant_replica_schema (
    id            integer PRIMARY KEY CHECK (id = 1),
    readable_from integer NOT NULL
);
INSERT INTO codegrant_replica_schema (id, readable_from) VALUES (1, 1);
