-- Lists of one unit among a whole province's rows (docs/decisions/0008, docs/performance.md, "Desks").

-- A policy's condition reaches an index only when it compares: of LIKE with a setting the planner does not know the
-- beginning, and every page read the whole table. In the byte order of `text_pattern_ops` a path's inside lies between
-- the path and the path with `~`, which comes after every character that a path can have. Where no unit is set the
-- setting is NULL, and nothing is seen.
ALTER POLICY person_scope ON person
    USING (unit_path ~>=~ current_setting('app.unit_path', true)
           AND unit_path ~<~ (current_setting('app.unit_path', true) || '~'));
ALTER POLICY person_event_scope ON person_event
    USING (unit_path ~>=~ current_setting('app.unit_path', true)
           AND unit_path ~<~ (current_setting('app.unit_path', true) || '~'));
ALTER POLICY person_fact_scope ON person_fact
    USING (unit_path ~>=~ current_setting('app.unit_path', true)
           AND unit_path ~<~ (current_setting('app.unit_path', true) || '~'));
ALTER POLICY civil_event_scope ON civil_event
    USING (unit_path ~>=~ current_setting('app.unit_path', true)
           AND unit_path ~<~ (current_setting('app.unit_path', true) || '~'));
ALTER POLICY application_scope ON application
    USING (unit_path ~>=~ current_setting('app.unit_path', true)
           AND unit_path ~<~ (current_setting('app.unit_path', true) || '~'));
ALTER POLICY application_action_scope ON application_action
    USING (unit_path ~>=~ current_setting('app.unit_path', true)
           AND unit_path ~<~ (current_setting('app.unit_path', true) || '~'));
ALTER POLICY application_record_scope ON application_record
    USING (unit_path ~>=~ current_setting('app.unit_path', true)
           AND unit_path ~<~ (current_setting('app.unit_path', true) || '~'));
ALTER POLICY case_scope ON case_file
    USING (unit_path ~>=~ current_setting('app.unit_path', true)
           AND unit_path ~<~ (current_setting('app.unit_path', true) || '~'));
ALTER POLICY case_action_scope ON case_action
    USING (unit_path ~>=~ current_setting('app.unit_path', true)
           AND unit_path ~<~ (current_setting('app.unit_path', true) || '~'));
ALTER POLICY card_scope ON card
    USING (unit_path ~>=~ current_setting('app.unit_path', true)
           AND unit_path ~<~ (current_setting('app.unit_path', true) || '~'));
ALTER POLICY card_action_scope ON card_action
    USING (unit_path ~>=~ current_setting('app.unit_path', true)
           AND unit_path ~<~ (current_setting('app.unit_path', true) || '~'));

-- Everything that a search by name looks at and sorts by, so that it reads this index alone and then the people whom it
-- shows. It does what the index on unit and name did.
CREATE INDEX person_by_unit_and_name ON person
    (unit_path text_pattern_ops, name_fold text_pattern_ops, birth, person_id);
DROP INDEX person_by_unit;

-- The seats of one unit's day, and the nearest day on which it has any.
CREATE INDEX invitation_by_unit ON invitation (unit_path text_pattern_ops, slot_id);
CREATE INDEX slot_by_unit ON slot (unit_path text_pattern_ops, day);

-- How many cases of a unit stand in each stage, without their evidence; and the cases of an application that stands in
-- them as the other one.
CREATE INDEX case_by_unit ON case_file (unit_path text_pattern_ops) INCLUDE (decision, confirmed_by);
CREATE INDEX case_by_other_application ON case_file (other_application_id) WHERE other_application_id IS NOT NULL;
