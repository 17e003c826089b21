-- +goose Up
CREATE TABLE codegrant_sessions (
	id          text     COLLATE "C" NOT NULL PRIMARY KEY,
	pool        text     COLLATE "C" NOT NULL,
	subject     text     COLLATE "C" NOT NULL,
	version     bigint   NOT NULL,
	created     bigint   NOT NULL, -- this and the times below: microseconds since 1970, UTC
	last_seen   bigint   NOT NULL,
	expires     bigint   NOT NULL,
	lease_until bigint   NOT NULL, -- 0: free
	stale       smallint NOT NULL,
	sealed      bytea    NOT NULL
);
CREATE INDEX codegrant_sessions_subject ON codegrant_sessions (pool, subject, id);
CREATE INDEX codegrant_sessions_expires ON codegrant_sessions (expires);
