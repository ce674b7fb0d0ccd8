-- The list of a tenant's people is read in the order of their addresses: with the address in another table all of a
-- tenant's members are joined before the first fifty are known. This is a copy, kept by the database itself.

ALTER TABLE membership ADD COLUMN email TEXT COLLATE "C" NOT NULL DEFAULT '';
UPDATE membership SET email = (SELECT account.email FROM account WHERE account.id = membership.account_id);
CREATE INDEX membership_by_address ON membership (tenant_id, email);

CREATE FUNCTION membership_takes_address() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    NEW.email = COALESCE((SELECT account.email FROM account WHERE account.id = NEW.account_id), '');
    RETURN NEW;
END
$$;
CREATE TRIGGER membership_takes_address BEFORE INSERT ON membership
    FOR EACH ROW EXECUTE FUNCTION membership_takes_address();

CREATE FUNCTION account_gives_address() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    UPDATE membership SET email = NEW.email WHERE account_id = NEW.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER account_gives_address AFTER UPDATE OF email ON account
    FOR EACH ROW EXECUTE FUNCTION account_gives_address();
