-- Who is this: the outcome of both searches with its evidence, and the cases that people decide.

-- Written once for each application that was looked at; its fingerprints are in the gallery from then on.
CREATE TABLE resolution (
    application_id uuid PRIMARY KEY,
    outcome text NOT NULL,             -- linked, case, rejected
    person_id uuid,                    -- whom it was linked to; in a case, the likeliest person
    weight real,                       -- log2 odds of the linkage
    probability real,
    evidence jsonb NOT NULL,           -- comparison vector, fingerprint hits, thresholds, model version
    decided_at timestamptz NOT NULL
);

CREATE TABLE case_file (
    case_id uuid PRIMARY KEY,
    kind text NOT NULL,                -- same_person_twice, fingerprint_other_name, pin_conflict, cmnd_conflict,
                                       -- ambiguous_match, register_mismatch, not_in_register, register_duplicate
    application_id uuid,               -- NULL for register_duplicate
    other_application_id uuid,
    person_id uuid,
    other_person_id uuid,
    evidence jsonb NOT NULL,
    unit_path text NOT NULL,
    opened_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    decision text,                     -- same_person, different_people, link, reject
    decided_person_id uuid,            -- with `link`: whom to
    decision_code text,                -- with `reject`: why
    decided_by text,
    confirmed_by text,                 -- four eyes; carried out from then on
    decided_at timestamptz,
    note text,
    CHECK ((application_id IS NULL) = (kind = 'register_duplicate')),
    CHECK ((decision IS NULL) = (decided_by IS NULL)),
    CHECK (confirmed_by IS NULL OR (decided_by IS NOT NULL AND decided_by <> confirmed_by))
);
CREATE INDEX case_open ON case_file (due_at) WHERE decision IS NULL;
CREATE INDEX case_by_application ON case_file (application_id);

ALTER TABLE case_file ENABLE ROW LEVEL SECURITY;
CREATE POLICY case_scope ON case_file FOR SELECT TO dancu_scoped
    USING (unit_path LIKE current_setting('app.unit_path', true) || '%');
GRANT SELECT ON case_file TO dancu_scoped;
