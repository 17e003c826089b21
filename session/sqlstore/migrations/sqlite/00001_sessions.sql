-- +goose Up
CREATE TABLE codegrant_sessions (
	id          TEXT    NOT NULL PRIMARY KEY,
	pool        TEXT    NOT NULL,
	subject     TEXT    NOT NULL,
	version     INTEGER NOT NULL,
	created     INTEGER NOT NULL, -- this and the times below: microseconds since 1970, UTC
	last_seen   INTEGER NOT NULL,
	expires     INTEGER NOT NULL,
	lease_until INTEGER NOT NULL, -- 0: free
	stale       INTEGER NOT NULL,
	sealed      BLOB    NOT NULL
) WITHOUT ROWID;
CREATE INDEX codegrant_sessions_subject ON codegrant_sessions (pool, subject, id);
CREATE INDEX codegrant_sessions_expires ON codegrant_sessions (expires);
