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

-- Whether somebody is still as they were read, asked while holding their row. Each
-- statement of a function sees what is committed when it begins, where one statement
-- alone would see what was when it began to wait. That is so in READ COMMITTED alone:
-- elsewhere nobody is told to be as they were, and a transaction has to do.
-- +goose StatementBegin
CREATE FUNCTION codegrant_hold(person bigint, version text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RETURN false;
    END IF;
    PERFORM 1 FROM codegrant_users WHERE id = person FOR UPDATE;
    RETURN EXISTS (SELECT 1 FROM codegrant_users u LEFT JOIN codegrant_confirmations c ON c.user_id = u.id
        WHERE u.id = person AND u.xmin::text || '/' || coalesce(c.xmin::text, '') = version);
END $$;
-- +goose StatementEnd
