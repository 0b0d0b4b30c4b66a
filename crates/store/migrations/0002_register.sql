-- The population register. Person-scoped tables are keyed by person_id first, so that they can be co-located when
-- the database is distributed; a PIN's uniqueness lives in its own table, distributed by PIN.

CREATE TABLE unit (
    code text NOT NULL,                -- 2, 3 or 5 digits
    valid_from date NOT NULL,
    valid_to date,                     -- exclusive; NULL while in force
    level smallint NOT NULL,           -- 1 province, 2 district, 3 commune
    kind text NOT NULL,
    name text NOT NULL,
    parent text,
    path text NOT NULL,                -- '42/445/18562/': what row-level security compares
    PRIMARY KEY (code, valid_from)
);

CREATE TABLE person (
    person_id uuid PRIMARY KEY,
    pin text,                          -- current PIN; its uniqueness is in table pin
    old_id text,
    full_name text NOT NULL,           -- NFC, as written
    name_fold text NOT NULL,           -- capitals without marks, for search
    sex smallint NOT NULL CHECK (sex IN (1, 2)),
    birth integer NOT NULL,            -- yyyymmdd, 00 for an unknown part
    ethnicity smallint NOT NULL,
    religion smallint NOT NULL,
    nationality text NOT NULL,
    marital smallint,
    blood text,
    birth_registration text,
    native_place text,
    permanent_unit text NOT NULL,
    permanent_detail text NOT NULL,
    current_unit text,
    current_detail text,
    father_name text, father_pin text,
    mother_name text, mother_pin text,
    spouse_name text, spouse_pin text,
    household text,
    relation_to_head smallint,
    status smallint NOT NULL DEFAULT 1, -- 1 alive, 2 dead, 3 merged into same_as
    same_as uuid,                      -- the surviving record; no foreign key between persons (distribution)
    unit_path text NOT NULL,           -- path of permanent_unit
    form_no text NOT NULL,             -- the DC01 form it came from
    form_hash bytea NOT NULL,          -- SHA-256 of the form's fields: a repeat is told from a contradiction
    import_id uuid NOT NULL,
    version integer NOT NULL DEFAULT 1,
    recorded_at timestamptz NOT NULL,
    CHECK ((status = 3) = (same_as IS NOT NULL))
);
CREATE INDEX person_by_unit ON person (unit_path text_pattern_ops, name_fold text_pattern_ops);

-- Append-only history; version 1 is the registration.
CREATE TABLE person_event (
    person_id uuid NOT NULL,
    version integer NOT NULL,
    kind text NOT NULL,                -- registered, pin_assigned, corrected, merged, split, died, moved
    at timestamptz NOT NULL,           -- when it took legal effect
    recorded_at timestamptz NOT NULL,
    actor text NOT NULL,
    detail jsonb,
    PRIMARY KEY (person_id, version)
);

CREATE TABLE pin (
    pin text PRIMARY KEY,
    person_id uuid NOT NULL,
    source text NOT NULL,              -- form, allocated
    assigned_at timestamptz NOT NULL,
    ended_at timestamptz               -- cancelled numbers stay: a number is never reused
);

CREATE TABLE import_file (
    import_id uuid PRIMARY KEY,        -- derived from the file's SHA-256: importing it again continues or does nothing
    name text NOT NULL,
    format text NOT NULL,              -- csv, qcvn109
    sha256 bytea NOT NULL,
    bytes_total bigint NOT NULL,
    bytes_done bigint NOT NULL DEFAULT 0,
    rows_read bigint NOT NULL DEFAULT 0,
    rows_accepted bigint NOT NULL DEFAULT 0,
    rows_repeated bigint NOT NULL DEFAULT 0,
    rows_rejected bigint NOT NULL DEFAULT 0,
    rows_composed bigint NOT NULL DEFAULT 0,        -- with decomposed Unicode (NFD), which was composed
    rows_without_commune bigint NOT NULL DEFAULT 0, -- accepted with a district where a commune is wanted
    rows_resolved bigint NOT NULL DEFAULT 0,        -- rejected rows of earlier files that this file replaces
    started_at timestamptz NOT NULL,
    finished_at timestamptz
);

CREATE TABLE import_reject (
    import_id uuid NOT NULL,
    row_no bigint NOT NULL,            -- 1-based record number in the file
    form_no text,
    errors jsonb NOT NULL,             -- [{field, code, message}]
    raw jsonb NOT NULL,                -- the row's fields as read, for the annotated rejects file
    resolved_by uuid,                  -- the import that brought the corrected row
    PRIMARY KEY (import_id, row_no)
);
CREATE INDEX import_reject_open ON import_reject (form_no) WHERE resolved_by IS NULL;

-- A form under a second number for a registered person (same PIN, name, sex and birth): kept, but no second person.
CREATE TABLE import_repeat (
    form_no text PRIMARY KEY,
    form_hash bytea NOT NULL,
    person_id uuid NOT NULL,
    import_id uuid NOT NULL,
    row_no bigint NOT NULL,
    raw jsonb NOT NULL                 -- the row's fields as read
);

ALTER TABLE person ENABLE ROW LEVEL SECURITY;
CREATE POLICY person_scope ON person FOR SELECT TO dancu_scoped
    USING (unit_path LIKE current_setting('app.unit_path', true) || '%');
GRANT SELECT ON person TO dancu_scoped;
ALTER TABLE person_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY person_event_scope ON person_event FOR SELECT TO dancu_scoped
    USING (EXISTS (SELECT 1 FROM person WHERE person.person_id = person_event.person_id));
GRANT SELECT ON person_event TO dancu_scoped;
GRANT SELECT ON unit TO dancu_scoped;
