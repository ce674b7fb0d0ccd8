-- Whether somebody who may vouch for it has said that the address is this person's: an operator, a mail to it, or the
-- identity provider of its domain. Who opened an invitation that was handed on has not shown it, and may have chosen the
-- password for somebody else's address.
ALTER TABLE account ADD COLUMN address_proved BOOLEAN NOT NULL DEFAULT FALSE;
-- Of those that are here nobody knows any more, but for operators and for who never had a password.
UPDATE account SET address_proved = TRUE WHERE operator = TRUE OR password_hash IS NULL;
