-- Every row meets it: the narrower rule held before.
ALTER TABLE peers VALIDATE CONSTRAINT peers_role;
