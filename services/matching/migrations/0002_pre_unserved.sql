-- How long somebody of an urgency has waited, for the loop's watch over the region: no case, no agency.
-- A virtual column is computed when it is read: no row is written again.
-- squawk-ignore adding-field-with-default
ALTER TABLE searches ADD COLUMN urgency text GENERATED ALWAYS AS (ask ->> 'urgency') VIRTUAL;
CREATE POLICY watch ON searches FOR SELECT TO {loop} USING (true);
GRANT SELECT (urgency, phase, since) ON searches TO {loop};
