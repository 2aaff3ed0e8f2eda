-- The address of an outreach has a key of its own, by the id of the outreach: intake makes it with the request, notify
-- destroys it as soon as the one message has been settled, intake with the case if that ends first.
ALTER TABLE data_keys ADD CONSTRAINT data_keys_kind
    CHECK (kind IN ('case', 'person', 'consult', 'outreach')) NOT VALID;
-- The wider rule takes the place of the narrower one; 0004 validates it.
-- squawk-ignore ban-drop-constraint
ALTER TABLE data_keys DROP CONSTRAINT data_keys_kind_check;
ALTER POLICY consults_destroyed ON data_keys
    USING (kind IN ('consult', 'outreach') AND agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (kind IN ('consult', 'outreach') AND wrapped IS NULL
                AND agency_id = ANY ((SELECT region.agencies())::uuid[]));
-- Nobody names a policy.
-- squawk-ignore renaming-object
ALTER POLICY consults_destroyed ON data_keys RENAME TO spent_destroyed;
