-- notify makes the key of a consult with the question, and destroys it with the case. Keys of other kinds it only reads.
GRANT INSERT ON data_keys TO notify_app;
GRANT UPDATE (wrapped, destroyed_at) ON data_keys TO notify_app;
-- Restrictive: beside the policy that lets through the agencies in view, and narrower.
CREATE POLICY consults_made ON data_keys AS RESTRICTIVE FOR INSERT TO notify_app
    WITH CHECK (kind = 'consult' AND agency_id = ANY ((SELECT region.agencies())::uuid[]));
CREATE POLICY consults_destroyed ON data_keys AS RESTRICTIVE FOR UPDATE TO notify_app
    USING (kind = 'consult' AND agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (kind = 'consult' AND wrapped IS NULL AND agency_id = ANY ((SELECT region.agencies())::uuid[]));
