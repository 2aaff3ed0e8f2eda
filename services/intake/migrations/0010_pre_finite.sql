-- The ends of the calendar are infinities to the driver, and nothing that was kept as one is read back.
ALTER TABLE structures ADD CONSTRAINT structures_finite
    CHECK (isfinite(effective_from) AND isfinite(contract_from) AND isfinite(contract_to)) NOT VALID;
ALTER TABLE resources ADD CONSTRAINT resources_finite CHECK (isfinite(verified_on)) NOT VALID;
