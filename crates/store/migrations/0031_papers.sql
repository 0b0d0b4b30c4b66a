-- Papers behind civil events, and what an event changes outside the register
-- (docs/decisions/0037-civil-events.md, crates/store/ROLES.md).

-- A paper (giấy tờ) as its authority issued it. Its id follows from kind, number, authority and day, so that one paper is
-- one row whoever enters it.
CREATE TABLE legal_document (
    document_id uuid PRIMARY KEY,
    kind text NOT NULL,                -- crates/register/src/paper.rs
    number text NOT NULL,
    authority text NOT NULL,
    issued_on date NOT NULL,
    scan_sha256 bytea CHECK (octet_length(scan_sha256) = 32),
    scan_bytes integer CHECK (scan_bytes BETWEEN 1 AND 4194304),
    scan_type text CHECK (scan_type IN ('image/jpeg', 'image/png', 'application/pdf')),
    entered_by text NOT NULL,
    entered_at timestamptz NOT NULL,
    unit_path text NOT NULL,           -- where its person was seen from when it was entered
    CONSTRAINT legal_document_is_one UNIQUE (kind, number, authority, issued_on),
    CHECK ((scan_sha256 IS NULL) = (scan_bytes IS NULL) AND (scan_sha256 IS NULL) = (scan_type IS NULL))
);
CREATE INDEX legal_document_by_number ON legal_document (number);

-- The scan's bytes, apart: whoever reads what a paper says does not read its picture.
CREATE TABLE document_scan (
    document_id uuid PRIMARY KEY REFERENCES legal_document,
    unit_path text NOT NULL,           -- as of its paper
    content bytea NOT NULL CHECK (octet_length(content) BETWEEN 1 AND 4194304)
);

-- Which events a paper stands behind, and whom they told. Registrations are left out, which an import writes by thousands.
CREATE INDEX civil_event_by_document ON civil_event (document_id) WHERE document_id IS NOT NULL;
CREATE INDEX person_event_by_event ON person_event (event_id) WHERE version > 1;

-- Whom a campaign counts and counts no longer, since it was opened and `area` was counted. Rows are added, never changed.
CREATE TABLE denominator_entry (
    campaign_unit text NOT NULL,       -- of which campaign
    campaign_from date NOT NULL,
    seq bigint NOT NULL,               -- counted within the campaign, without gaps
    unit_code text NOT NULL,           -- where the person is counted, or was
    unit_path text NOT NULL,
    cohort text NOT NULL,              -- all: whoever is old enough
    person_id uuid NOT NULL,
    delta smallint NOT NULL CHECK (delta IN (-1, 1)),
    reason text NOT NULL,              -- the kind of the event
    cause uuid NOT NULL,               -- the event
    effective_on integer NOT NULL,     -- yyyymmdd, 00 for an unknown part
    recorded_at timestamptz NOT NULL,
    PRIMARY KEY (campaign_unit, campaign_from, seq)
);
CREATE INDEX denominator_entry_by_cause ON denominator_entry (cause);
CREATE INDEX denominator_entry_by_unit ON denominator_entry (unit_path text_pattern_ops);
-- Whoever adds entries waits for one another by this row, so that they are counted without gaps.
INSERT INTO meta (key, value) VALUES ('lock.denominator', '');

-- An invitation that the register took back: it is no one's seat any more.
ALTER TABLE invitation ALTER COLUMN seat DROP NOT NULL;
ALTER TABLE invitation DROP CONSTRAINT invitation_state_check;
ALTER TABLE invitation ADD CONSTRAINT invitation_state_check
    CHECK (state IN ('invited', 'attended', 'missed', 'withdrawn'));
ALTER TABLE invitation ADD CONSTRAINT invitation_withdrawn_has_no_seat CHECK ((state = 'withdrawn') = (seat IS NULL));

ALTER TABLE legal_document ENABLE ROW LEVEL SECURITY;
CREATE POLICY legal_document_scope ON legal_document FOR SELECT TO dancu_scoped
    USING (unit_path ~>=~ scope_path() AND unit_path ~<~ (scope_path() || '~'));
CREATE POLICY legal_document_work ON legal_document TO dancu_work, dancu_pages USING (true) WITH CHECK (true);
ALTER TABLE document_scan ENABLE ROW LEVEL SECURITY;
CREATE POLICY document_scan_scope ON document_scan FOR SELECT TO dancu_scoped
    USING (unit_path ~>=~ scope_path() AND unit_path ~<~ (scope_path() || '~'));
CREATE POLICY document_scan_work ON document_scan TO dancu_work, dancu_pages USING (true) WITH CHECK (true);
ALTER TABLE denominator_entry ENABLE ROW LEVEL SECURITY;
CREATE POLICY denominator_entry_scope ON denominator_entry FOR SELECT TO dancu_scoped
    USING (unit_path ~>=~ scope_path() AND unit_path ~<~ (scope_path() || '~'));
CREATE POLICY denominator_entry_work ON denominator_entry TO dancu_work, dancu_pages USING (true) WITH CHECK (true);

GRANT SELECT ON legal_document, document_scan, denominator_entry TO dancu_scoped;
GRANT SELECT, INSERT ON legal_document, document_scan, denominator_entry TO dancu_work, dancu_pages;
-- What a clerk's event does beside the register: the open invitation is taken back, the card in force is blocked or is in
-- force again. Of cards that are neither in force nor suspended a page changes nothing, and the only actions that it adds
-- are a death's and its undoing's.
GRANT UPDATE (state, seat) ON invitation TO dancu_pages;
GRANT UPDATE (state, actions) ON card TO dancu_pages;
GRANT INSERT ON card_action TO dancu_pages;
ALTER POLICY card_work ON card TO dancu_work;
CREATE POLICY card_pages ON card FOR SELECT TO dancu_pages USING (true);
CREATE POLICY card_blocked_by_pages ON card FOR UPDATE TO dancu_pages
    USING (state IN ('active', 'suspended')) WITH CHECK (state IN ('active', 'suspended'));
ALTER POLICY card_action_work ON card_action TO dancu_work;
CREATE POLICY card_action_pages ON card_action FOR SELECT TO dancu_pages USING (true);
CREATE POLICY card_action_by_pages ON card_action FOR INSERT TO dancu_pages
    WITH CHECK ((action, reason) IN (('suspend', 'holder_died'), ('reinstate', 'cleared')));
