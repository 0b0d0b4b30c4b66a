-- Units that are rearranged by law: what was applied here, how far it has come, and whom somebody must ask
-- (docs/decisions/0040-units-change.md).

-- A change is its day: nobody has two lists on one.
CREATE TABLE unit_change (
    effective_on date PRIMARY KEY,
    decree text NOT NULL,
    map_sha256 bytea NOT NULL CHECK (octet_length(map_sha256) = 32),
    begun_at timestamptz NOT NULL,
    begun_by text NOT NULL,
    finished_at timestamptz            -- nobody is left in a unit of the list before, those excepted who must be asked
);

-- The map as it was applied, with how many people went which way.
CREATE TABLE unit_map (
    effective_on date NOT NULL REFERENCES unit_change,
    from_code text NOT NULL,
    to_code text NOT NULL,
    parts integer NOT NULL CHECK (parts > 0),  -- how many units the old one went to; 1: it went whole
    people bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (effective_on, from_code, to_code)
);

-- The old units in which this installation has people or work, and who took their place.
CREATE TABLE unit_successor (
    effective_on date NOT NULL REFERENCES unit_change,
    code text NOT NULL,
    path text NOT NULL,                -- as rows of the unit had it: 42/445/18562/
    people bigint NOT NULL,            -- registered there when the change began
    moved bigint NOT NULL DEFAULT 0,
    asked bigint NOT NULL DEFAULT 0,
    finished_at timestamptz,           -- nobody is left there but whom somebody must ask
    successor text,                    -- who took over accounts, kits, applications and boxes; NULL until it is settled
    successor_path text,
    settled_by text,
    settled_at timestamptz,
    PRIMARY KEY (effective_on, path),
    CHECK ((successor IS NULL) = (settled_at IS NULL) AND (successor IS NULL) = (successor_path IS NULL))
);

-- People whose old unit was divided and whose address does not tell which part they live in.
CREATE TABLE unit_ask (
    person_id uuid NOT NULL,
    effective_on date NOT NULL,
    part text NOT NULL CHECK (part IN ('permanent', 'current')),
    unit_path text NOT NULL,           -- where the person is seen from
    from_code text NOT NULL,
    to_code text,                      -- what was answered
    settled_by text,
    settled_at timestamptz,
    PRIMARY KEY (person_id, effective_on, part),
    CHECK ((to_code IS NULL) = (settled_at IS NULL))
);
CREATE INDEX unit_ask_open ON unit_ask (unit_path text_pattern_ops, person_id) WHERE settled_at IS NULL;

-- A code is whose it is by the list of a day: of the change that gave this one; NULL when it was there from the beginning.
ALTER TABLE kit ADD COLUMN unit_from date;
ALTER TABLE consignment ADD COLUMN to_from date;

-- Whoever applies a change waits for whoever else does.
INSERT INTO meta (key, value) VALUES ('lock.units', '');

ALTER TABLE unit_ask ENABLE ROW LEVEL SECURITY;
CREATE POLICY unit_ask_scope ON unit_ask FOR SELECT TO dancu_scoped
    USING (unit_path ~>=~ scope_path() AND unit_path ~<~ (scope_path() || '~'));
CREATE POLICY unit_ask_work ON unit_ask TO dancu_work, dancu_pages USING (true) WITH CHECK (true);

-- What each login may do (crates/store/ROLES.md). A path says who may see a row and follows its unit; no digest covers it.
GRANT SELECT, INSERT ON unit_change, unit_map, unit_successor, unit_ask TO dancu_work;
GRANT UPDATE (finished_at) ON unit_change TO dancu_work;
GRANT UPDATE (people) ON unit_map TO dancu_work, dancu_pages;
GRANT UPDATE (moved, asked, finished_at, successor, successor_path, settled_by, settled_at) ON unit_successor TO dancu_work;
GRANT UPDATE (moved, asked) ON unit_successor TO dancu_pages;
GRANT UPDATE (unit_path, to_code, settled_by, settled_at) ON unit_ask TO dancu_work, dancu_pages;
GRANT SELECT ON unit_change, unit_map, unit_successor, unit_ask TO dancu_pages;
GRANT INSERT ON unit_ask TO dancu_pages;
GRANT SELECT ON unit_ask TO dancu_scoped;
GRANT UPDATE (valid_to) ON unit TO dancu_work;
GRANT UPDATE (unit_path) ON account TO dancu_work;
GRANT UPDATE (unit_code, unit_path) ON application, card TO dancu_work;
GRANT UPDATE (unit_path) ON application_action, application_record, packet, card_action, case_file, case_action TO dancu_work;
GRANT UPDATE (unit_path) ON correction_case, correction_item, correction_action TO dancu_work;
GRANT UPDATE (unit_code, unit_from) ON kit TO dancu_work;
