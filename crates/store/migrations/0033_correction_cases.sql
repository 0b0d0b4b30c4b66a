-- Cases of correction: what is asked of the justice office, item by item, and what was done about it
-- (docs/decisions/0039-correction-cases.md, crates/store/ROLES.md).

-- The fold of its actions. `unit_path` is that of the office that is asked, and stays.
CREATE TABLE correction_case (
    case_id uuid PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('supplement', 'correction', 'correction_verified')),
    person_id uuid NOT NULL,
    source text NOT NULL CHECK (source IN ('officer', 'citizen', 'clerk', 'quality_rule', 'agency_list')),
    source_ref text,                   -- which rule of quality, or which list
    state text NOT NULL CHECK (state IN ('requested', 'taken', 'paper_issued', 'applied', 'refused', 'withdrawn')),
    requested_by text NOT NULL,
    owner text,                        -- of the justice office; nobody before it is taken or given
    due_on date,                       -- the last day in time; none where the dated lists say nothing of the day
    document_id uuid,
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    actions smallint NOT NULL CHECK (actions > 0),
    unit_path text NOT NULL,
    CHECK ((closed_at IS NOT NULL) = (state IN ('applied', 'refused', 'withdrawn'))),
    CHECK (document_id IS NOT NULL OR state NOT IN ('paper_issued', 'applied'))
);
CREATE INDEX correction_case_by_person ON correction_case (person_id);
CREATE INDEX correction_case_by_unit ON correction_case (unit_path text_pattern_ops, opened_at);
CREATE INDEX correction_case_by_document ON correction_case (document_id) WHERE document_id IS NOT NULL;

CREATE TABLE correction_item (
    case_id uuid NOT NULL REFERENCES correction_case,
    field text NOT NULL,               -- as in person_fact
    part text NOT NULL,
    register_value text,               -- what the register stated when the case was opened
    claimed_value text,
    granted_value text,                -- what the paper states
    outcome text NOT NULL CHECK (outcome IN ('open', 'granted', 'applied', 'refused')),
    unit_path text NOT NULL,           -- as of its case
    PRIMARY KEY (case_id, field, part)
);

-- What was done, one row each; nothing is written over.
CREATE TABLE correction_action (
    case_id uuid NOT NULL REFERENCES correction_case,
    seq smallint NOT NULL CHECK (seq > 0), -- without gaps
    action text NOT NULL CHECK (action IN ('request', 'take', 'issue_paper', 'apply', 'refuse', 'withdraw',
                                           'reassign')),
    at timestamptz NOT NULL,
    actor text NOT NULL,
    desk text NOT NULL CHECK (desk IN ('clerk', 'officer', 'justice', 'commander')),
    action_id uuid NOT NULL,           -- the sender's
    detail jsonb NOT NULL,             -- the action as it is told again
    event_id uuid,                     -- the event by which it was applied
    reason text,
    unit_path text NOT NULL,           -- as of its case
    PRIMARY KEY (case_id, seq),
    CONSTRAINT correction_action_once UNIQUE (case_id, action_id)
);

ALTER TABLE correction_case ENABLE ROW LEVEL SECURITY;
CREATE POLICY correction_case_scope ON correction_case FOR SELECT TO dancu_scoped
    USING (unit_path ~>=~ scope_path() AND unit_path ~<~ (scope_path() || '~'));
CREATE POLICY correction_case_work ON correction_case TO dancu_work, dancu_pages USING (true) WITH CHECK (true);
ALTER TABLE correction_item ENABLE ROW LEVEL SECURITY;
CREATE POLICY correction_item_scope ON correction_item FOR SELECT TO dancu_scoped
    USING (unit_path ~>=~ scope_path() AND unit_path ~<~ (scope_path() || '~'));
CREATE POLICY correction_item_work ON correction_item TO dancu_work, dancu_pages USING (true) WITH CHECK (true);
ALTER TABLE correction_action ENABLE ROW LEVEL SECURITY;
CREATE POLICY correction_action_scope ON correction_action FOR SELECT TO dancu_scoped
    USING (unit_path ~>=~ scope_path() AND unit_path ~<~ (scope_path() || '~'));
CREATE POLICY correction_action_work ON correction_action TO dancu_work, dancu_pages USING (true) WITH CHECK (true);

-- What each login may do (crates/store/ROLES.md).
GRANT SELECT ON correction_case, correction_item, correction_action TO dancu_scoped;
GRANT SELECT, INSERT ON correction_case, correction_item, correction_action TO dancu_work, dancu_pages;
GRANT UPDATE (kind, state, owner, due_on, document_id, closed_at, actions) ON correction_case TO dancu_work, dancu_pages;
GRANT UPDATE (granted_value, outcome) ON correction_item TO dancu_work, dancu_pages;
