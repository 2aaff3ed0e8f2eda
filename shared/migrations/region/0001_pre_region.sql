-- The region's clock and the agencies that a transaction has in view.
CREATE TABLE clock(
    shift interval NOT NULL DEFAULT '0',
    single boolean PRIMARY KEY DEFAULT true CHECK (single)
);
INSERT INTO clock DEFAULT VALUES;

-- Raises when nothing is set, and when the setting of an ended transaction has left ''.
CREATE FUNCTION agencies() RETURNS uuid[] STABLE LANGUAGE sql
    AS $$ SELECT current_setting('peerline.agencies')::uuid[] $$;

CREATE FUNCTION now() RETURNS timestamptz STABLE LANGUAGE sql
    AS $$ SELECT transaction_timestamp() + (SELECT shift FROM region.clock) $$;

GRANT USAGE ON SCHEMA region TO peerline_services, peerline_operator;
GRANT SELECT ON clock TO peerline_services, peerline_operator;
GRANT UPDATE ON clock TO peerline_operator;
GRANT EXECUTE ON FUNCTION agencies(), now() TO peerline_services, peerline_operator;
