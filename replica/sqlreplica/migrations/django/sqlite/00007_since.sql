-- +goose Up

-- When a membership was written here. The database says so, so that programs which do not
-- know of it yet leave no gap. Of memberships from before, nobody knows.
-- SQLite adds no column with such a default.
ALTER TABLE codegrant_memberships ADD COLUMN since TEXT;
-- +goose StatementBegin
CREATE TRIGGER codegrant_memberships_since AFTER INSERT ON codegrant_memberships WHEN NEW.since IS NULL
BEGIN
    UPDATE codegrant_memberships SET since = strftime('%Y-%m-%d %H:%M:%f', 'now') || '000' WHERE user_id = NEW.user_id AND group_id = NEW.group_id;
END;
-- +goose StatementEnd
