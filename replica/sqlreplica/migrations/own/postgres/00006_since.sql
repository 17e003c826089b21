-- +goose Up

-- When a membership was written here. The database says so, so that programs which do not
-- know of it yet leave no gap. Of memberships from before, nobody knows.
ALTER TABLE codegrant_memberships ADD COLUMN since timestamptz;
ALTER TABLE codegrant_memberships ALTER COLUMN since SET DEFAULT now();
