-- +goose Up
CREATE TABLE codegrant_cupboard (
	kind    text     COLLATE "C" NOT NULL,
	name    text     COLLATE "C" NOT NULL, -- empty: the count of the kind's changes, in version
	person  text     COLLATE "C" NOT NULL,
	version bigint   NOT NULL,
	number  bigint   NOT NULL, -- of the last change; 0 where the kind is not watched
	gone    smallint NOT NULL,
	until   bigint   NOT NULL, -- microseconds since 1970, UTC
	content bytea    NOT NULL,
	PRIMARY KEY (kind, name)
);
CREATE INDEX codegrant_cupboard_person ON codegrant_cupboard (kind, person, name);
CREATE INDEX codegrant_cupboard_until ON codegrant_cupboard (kind, until);
CREATE INDEX codegrant_cupboard_number ON codegrant_cupboard (kind, number);
