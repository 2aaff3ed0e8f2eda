-- The command that adds an agency or a duty coordinator sets the rounds that follow from it.
CREATE POLICY operator_schedules ON timers FOR INSERT TO peerline_operator
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT INSERT ON timers TO peerline_operator;
