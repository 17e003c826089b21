-- +goose Up
CREATE TABLE codegrant_session_ends (
	number  INTEGER PRIMARY KEY AUTOINCREMENT, -- never given twice
	id      TEXT    NOT NULL, -- of a session; empty: all of a person's have ended
	pool    TEXT    NOT NULL,
	subject TEXT    NOT NULL,
	earlier INTEGER NOT NULL, -- those created before it; this and the time below: microseconds since 1970, UTC
	void    INTEGER NOT NULL,
	until   INTEGER NOT NULL
);
CREATE INDEX codegrant_session_ends_until ON codegrant_session_ends (until);
