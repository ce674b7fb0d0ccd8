-- The list of a tenant's people is read in the order of their addresses: with the address in another table all of a
-- tenant's members are joined before the first fifty are known. This is a copy, kept by the database itself.

ALTER TABLE membership ADD COLUMN email TEXT NOT NULL DEFAULT '';
UPDATE membership SET email = (SELECT account.email FROM account WHERE account.id = membership.account_id);
CREATE INDEX membership_by_address ON membership (tenant_id, email);

CREATE TRIGGER membership_takes_address AFTER INSERT ON membership
BEGIN
    UPDATE membership SET email = (SELECT account.email FROM account WHERE account.id = NEW.account_id)
    WHERE tenant_id = NEW.tenant_id AND account_id = NEW.account_id;
END;

CREATE TRIGGER account_gives_address AFTER UPDATE OF email ON account
BEGIN
    UPDATE membership SET email = NEW.email WHERE account_id = NEW.id;
END;
