-- +goose Up
CREATE TABLE codegrant_cupboard (
	kind    TEXT    NOT NULL,
	name    TEXT    NOT NULL, -- empty: the count of the kind's changes, in version
	person  TEXT    NOT NULL,
	version INTEGER NOT NULL,
	number  INTEGER NOT NULL, -- of the last change; 0 where the kind is not watched
	gone    INTEGER NOT NULL,
	until   INTEGER NOT NULL, -- microseconds since 1970, UTC
	content BLOB    NOT NULL,
	PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE INDEX codegrant_cupboard_person ON codegrant_cupboard (kind, person, name);
CREATE INDEX codegrant_cupboard_until ON codegrant_cupboard (kind, until);
CREATE INDEX codegrant_cupboard_number ON codegrant_cupboard (kind, number);
