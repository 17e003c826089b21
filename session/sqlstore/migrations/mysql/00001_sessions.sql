-- +goose Up
-- MySQL commits each table by itself: a process that was killed before it took note
-- of this one is followed by one that finds it here.
--
-- Names are bytes: a collation would fold case, accents or trailing spaces.
CREATE TABLE IF NOT EXISTS codegrant_sessions (
	id          VARBINARY(255) NOT NULL PRIMARY KEY,
	pool        VARBINARY(512) NOT NULL,
	subject     VARBINARY(255) NOT NULL,
	version     BIGINT         NOT NULL,
	created     BIGINT         NOT NULL, -- this and the times below: microseconds since 1970, UTC
	last_seen   BIGINT         NOT NULL,
	expires     BIGINT         NOT NULL,
	lease_until BIGINT         NOT NULL, -- 0: free
	stale       SMALLINT       NOT NULL,
	sealed      MEDIUMBLOB     NOT NULL,
	KEY codegrant_sessions_subject (pool, subject, id),
	KEY codegrant_sessions_expires (expires)
) ENGINE=InnoDB;
