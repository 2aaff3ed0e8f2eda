-- Whom a search waits for, because the requester would rather wait for them than be asked for by somebody else.
ALTER TABLE searches ADD COLUMN waits_for uuid;
