ALTER TABLE structures VALIDATE CONSTRAINT structures_finite;
ALTER TABLE resources VALIDATE CONSTRAINT resources_finite;
