-- What was there before fits the wider rule as well.
ALTER TABLE links VALIDATE CONSTRAINT links_purpose;
