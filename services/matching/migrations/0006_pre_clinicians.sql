-- Clinicians are people of the program, though nobody who is offered a case. 0007 validates the wider rule.
ALTER TABLE peers ADD CONSTRAINT peers_role
    CHECK (role IN ('peer', 'coordinator', 'clinician', 'member', 'duty')) NOT VALID;
-- squawk-ignore ban-drop-constraint
ALTER TABLE peers DROP CONSTRAINT peers_role_check;
