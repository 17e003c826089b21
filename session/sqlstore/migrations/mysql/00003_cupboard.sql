-- +goose Up
CREATE TABLE IF NOT EXISTS codegrant_cupboard (
	kind    VARBINARY(64)  NOT NULL,
	name    VARBINARY(64)  NOT NULL, -- empty: the count of the kind's changes, in version
	person  VARBINARY(255) NOT NULL,
	version BIGINT         NOT NULL,
	number  BIGINT         NOT NULL, -- of the last change; 0 where the kind is not watched
	gone    SMALLINT       NOT NULL,
	until   BIGINT         NOT NULL, -- microseconds since 1970, UTC
	content MEDIUMBLOB     NOT NULL,
	PRIMARY KEY (kind, name),
	KEY codegrant_cupboard_person (kind, person, name),
	KEY codegrant_cupboard_until (kind, until),
	KEY codegrant_cupboard_number (kind, number)
) ENGINE=InnoDB;
