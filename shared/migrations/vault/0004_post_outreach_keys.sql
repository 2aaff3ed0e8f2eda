-- What was there before fits the wider rule as well.
ALTER TABLE data_keys VALIDATE CONSTRAINT data_keys_kind;
