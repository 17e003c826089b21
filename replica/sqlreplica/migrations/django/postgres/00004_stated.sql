-- +goose Up

-- Memberships that the pool has stated, as long as there are the user and the group. When
-- one is gone, a Python backend whose session holds an ID token from before makes it again
-- with each request: it is nobody's word then.
CREATE TABLE codegrant_stated (
    user_id  bigint NOT NULL,
    group_id bigint NOT NULL,
    PRIMARY KEY (user_id, group_id)
);
CREATE INDEX codegrant_stated_group ON codegrant_stated (group_id);
INSERT INTO codegrant_stated (user_id, group_id) SELECT user_id, group_id FROM codegrant_memberships WHERE from_pool;

-- TRUNCATE refuses a table that another one refers to, and Django's flush and its tests
-- truncate. So triggers do what the references did, as their owner and in this schema.
-- +goose StatementBegin
CREATE FUNCTION codegrant_has_user() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM 1 FROM auth_user WHERE id = NEW.id FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE foreign_key_violation USING MESSAGE = 'auth_user has no such row';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION codegrant_has_group() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM 1 FROM auth_group WHERE id = NEW.id FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE foreign_key_violation USING MESSAGE = 'auth_group has no such row';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION codegrant_has_membership() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    PERFORM 1 FROM auth_user_groups WHERE user_id = NEW.user_id AND group_id = NEW.group_id FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE foreign_key_violation USING MESSAGE = 'auth_user_groups has no such row';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION codegrant_user_gone() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM codegrant_stated;
        DELETE FROM codegrant_users;
    ELSE
        DELETE FROM codegrant_stated WHERE user_id = OLD.id;
        DELETE FROM codegrant_users WHERE id = OLD.id;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION codegrant_group_gone() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM codegrant_stated;
        DELETE FROM codegrant_groups;
    ELSE
        DELETE FROM codegrant_stated WHERE group_id = OLD.id;
        DELETE FROM codegrant_groups WHERE id = OLD.id;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE FUNCTION codegrant_membership_gone() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' THEN
        DELETE FROM codegrant_memberships;
    ELSE
        DELETE FROM codegrant_memberships WHERE user_id = OLD.user_id AND group_id = OLD.group_id;
    END IF;
    RETURN NULL;
END $$;
-- +goose StatementEnd

CREATE TRIGGER codegrant_gone AFTER DELETE ON auth_user FOR EACH ROW EXECUTE FUNCTION codegrant_user_gone();
CREATE TRIGGER codegrant_emptied AFTER TRUNCATE ON auth_user FOR EACH STATEMENT EXECUTE FUNCTION codegrant_user_gone();
CREATE TRIGGER codegrant_gone AFTER DELETE ON auth_group FOR EACH ROW EXECUTE FUNCTION codegrant_group_gone();
CREATE TRIGGER codegrant_emptied AFTER TRUNCATE ON auth_group FOR EACH STATEMENT EXECUTE FUNCTION codegrant_group_gone();
CREATE TRIGGER codegrant_gone AFTER DELETE ON auth_user_groups FOR EACH ROW EXECUTE FUNCTION codegrant_membership_gone();
CREATE TRIGGER codegrant_emptied AFTER TRUNCATE ON auth_user_groups FOR EACH STATEMENT EXECUTE FUNCTION codegrant_membership_gone();

CREATE TRIGGER codegrant_has BEFORE INSERT ON codegrant_users FOR EACH ROW EXECUTE FUNCTION codegrant_has_user();
CREATE TRIGGER codegrant_has BEFORE INSERT ON codegrant_groups FOR EACH ROW EXECUTE FUNCTION codegrant_has_group();
CREATE TRIGGER codegrant_has BEFORE INSERT ON codegrant_memberships FOR EACH ROW EXECUTE FUNCTION codegrant_has_membership();

ALTER TABLE codegrant_memberships DROP CONSTRAINT codegrant_memberships_user_id_group_id_fkey;
ALTER TABLE codegrant_groups DROP CONSTRAINT codegrant_groups_id_fkey;
ALTER TABLE codegrant_users DROP CONSTRAINT codegrant_users_id_fkey;
