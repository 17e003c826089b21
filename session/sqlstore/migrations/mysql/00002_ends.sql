-- +goose Up
CREATE TABLE IF NOT EXISTS codegrant_session_ends (
	number  BIGINT         NOT NULL AUTO_INCREMENT PRIMARY KEY,
	id      VARBINARY(255) NOT NULL, -- of a session; empty: all of a person's have ended
	pool    VARBINARY(512) NOT NULL,
	subject VARBINARY(255) NOT NULL,
	earlier BIGINT         NOT NULL, -- those created before it; this and the time below: microseconds since 1970, UTC
	void    SMALLINT       NOT NULL,
	until   BIGINT         NOT NULL,
	KEY codegrant_session_ends_until (until)
) ENGINE=InnoDB;
