-- Consignments and hand-overs.

CREATE TABLE consignment (
    consignment_id uuid PRIMARY KEY,
    leg text NOT NULL CHECK (leg IN ('district', 'commune')),
    from_code text NOT NULL,           -- 'centre' or a district code
    to_code text NOT NULL,
    size integer NOT NULL,
    manifest_sha256 bytea NOT NULL,
    sent_at timestamptz NOT NULL,
    received_at timestamptz,
    received integer                   -- counted at arrival
);

CREATE TABLE consignment_item (
    consignment_id uuid NOT NULL REFERENCES consignment,
    application_id uuid NOT NULL,
    received boolean,                  -- NULL until counted; false: missing from the box
    PRIMARY KEY (consignment_id, application_id)
);

CREATE TABLE handover (
    application_id uuid NOT NULL,
    attempt smallint NOT NULL,
    at timestamptz NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('handed_over', 'absent', 'no_match')),
    score real,                        -- fused 1:1 score; NULL when absent
    officer text NOT NULL,
    PRIMARY KEY (application_id, attempt)
);
