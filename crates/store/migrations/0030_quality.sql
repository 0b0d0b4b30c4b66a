-- Who does not keep which rule of quality, and how many do, unit by unit and day by day (docs/decisions/0038-quality.md).

-- One row for a person and a rule, as old as the fault: a finding that is settled stays, and is open again when it comes
-- back.
CREATE TABLE quality_finding (
    person_id uuid NOT NULL,
    rule text NOT NULL,                -- code of crates/register/data/quality-rules.csv
    unit_path text NOT NULL,           -- where the person was registered when it was seen last
    first_seen date NOT NULL,
    seen date NOT NULL,                -- the day of the last look that found it
    settled_on date,                   -- the day of the look that did not find it any more
    PRIMARY KEY (person_id, rule)
);
CREATE INDEX quality_finding_open ON quality_finding (unit_path text_pattern_ops, rule) WHERE settled_on IS NULL;

-- The people of one unit on one day: how many a rule applies to, and how many of them keep it.
CREATE TABLE quality_day (
    unit_path text NOT NULL,
    day date NOT NULL,
    rule text NOT NULL,
    ok bigint NOT NULL,
    applies bigint NOT NULL CHECK (applies >= ok),
    latest boolean NOT NULL,           -- of the last look at this unit
    PRIMARY KEY (unit_path, day, rule)
);
CREATE INDEX quality_day_by_day ON quality_day (day, rule);
CREATE INDEX quality_day_latest ON quality_day (unit_path text_pattern_ops) WHERE latest;

ALTER TABLE quality_finding ENABLE ROW LEVEL SECURITY;
CREATE POLICY quality_finding_scope ON quality_finding FOR SELECT TO dancu_scoped
    USING (unit_path ~>=~ scope_path() AND unit_path ~<~ (scope_path() || '~'));
CREATE POLICY quality_finding_work ON quality_finding TO dancu_work, dancu_pages USING (true) WITH CHECK (true);
ALTER TABLE quality_day ENABLE ROW LEVEL SECURITY;
CREATE POLICY quality_day_scope ON quality_day FOR SELECT TO dancu_scoped
    USING (unit_path ~>=~ scope_path() AND unit_path ~<~ (scope_path() || '~'));
CREATE POLICY quality_day_work ON quality_day TO dancu_work, dancu_pages USING (true) WITH CHECK (true);

-- What each login may do (crates/store/ROLES.md).
GRANT SELECT, INSERT, UPDATE ON quality_finding, quality_day TO dancu_work;
GRANT SELECT ON quality_finding, quality_day TO dancu_scoped;
