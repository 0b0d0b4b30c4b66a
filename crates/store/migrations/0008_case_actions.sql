-- What people did about a case, one row for each: nothing that was said is written over.

CREATE TABLE case_action (
    case_id uuid NOT NULL REFERENCES case_file,
    seq smallint NOT NULL,             -- from 1, without gaps
    action text NOT NULL CHECK (action IN ('propose', 'confirm', 'reopen')),
    at timestamptz NOT NULL,
    actor text NOT NULL,
    decision text NOT NULL,            -- what was proposed or confirmed; with `reopen`, what was withdrawn
    note text,
    PRIMARY KEY (case_id, seq)
);

-- One column held both notes, and the second wrote over the first: of a confirmed case it is the note of whoever wrote
-- last, which the confirmation carries.
INSERT INTO case_action (case_id, seq, action, at, actor, decision, note)
SELECT case_id, 1, 'propose', decided_at, decided_by, decision, CASE WHEN confirmed_by IS NULL THEN note END
FROM case_file WHERE decided_by IS NOT NULL AND decided_at IS NOT NULL;
INSERT INTO case_action (case_id, seq, action, at, actor, decision, note)
SELECT case_id, 2, 'confirm', decided_at, confirmed_by, decision, note
FROM case_file WHERE confirmed_by IS NOT NULL AND decided_at IS NOT NULL;
ALTER TABLE case_file DROP COLUMN note;

ALTER TABLE case_action ENABLE ROW LEVEL SECURITY;
CREATE POLICY case_action_scope ON case_action FOR SELECT TO dancu_scoped
    USING (EXISTS (SELECT 1 FROM case_file c WHERE c.case_id = case_action.case_id));
GRANT SELECT ON case_action TO dancu_scoped;
