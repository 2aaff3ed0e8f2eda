-- What was there before fits the wider rules as well.
ALTER TABLE matters VALIDATE CONSTRAINT matters_kind;
ALTER TABLE links VALIDATE CONSTRAINT links_purpose;
