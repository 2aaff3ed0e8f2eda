-- What help there is outside of the program: the region's directory of resources, and each agency's own.
CREATE TABLE resources(
    agency_id uuid NOT NULL,
    -- as they are shown, by kind and name
    place smallint NOT NULL,
    kind text NOT NULL
        CHECK (kind IN ('counselling', 'group', 'medical', 'eap', 'chaplain', 'crisis', 'practical')),
    name text NOT NULL,
    area text NOT NULL,
    -- whom it is for; empty: everybody
    relations text[] NOT NULL,
    cost text NOT NULL,
    hours text NOT NULL,
    phone text NOT NULL,
    url text NOT NULL,
    languages text[] NOT NULL,
    verified_on date NOT NULL,
    PRIMARY KEY (agency_id, place),
    CHECK (phone <> '' OR (url <> '' AND kind <> 'crisis'))
);
ALTER TABLE resources ENABLE ROW LEVEL SECURITY;
ALTER TABLE resources FORCE ROW LEVEL SECURITY;
CREATE POLICY agency ON resources TO {app}
    USING (agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = ANY ((SELECT region.agencies())::uuid[]));
-- the region's are for everybody in it
CREATE POLICY regional ON resources FOR SELECT TO {app}
    USING (agency_id = '00000000-0000-4000-8000-000000000001'
           OR agency_id = ANY ((SELECT region.agencies())::uuid[]));
-- the operator keeps the region's and no agency's
CREATE POLICY operator_keeps ON resources TO peerline_operator
    USING (agency_id = '00000000-0000-4000-8000-000000000001'
           AND agency_id = ANY ((SELECT region.agencies())::uuid[]))
    WITH CHECK (agency_id = '00000000-0000-4000-8000-000000000001'
                AND agency_id = ANY ((SELECT region.agencies())::uuid[]));
GRANT SELECT, INSERT, DELETE ON resources TO {app}, peerline_operator;

ALTER TABLE agencies ADD COLUMN resources_revision integer NOT NULL DEFAULT 0;
GRANT UPDATE (resources_revision) ON agencies TO {app};
