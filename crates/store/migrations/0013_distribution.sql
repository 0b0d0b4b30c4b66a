-- What a distributed engine refuses is let go (docs/decisions/0019-fit-for-distribution.md): triggers, policies with a
-- sub-query, and advisory locks, which each server keeps for itself.

-- Blanks go forward and spoiled cards stay spoiled by the conditions of the statements that write them.
DROP TRIGGER blank_goes_forward ON blank;
DROP FUNCTION blank_goes_forward();
DROP TRIGGER card_stays_spoiled ON card;
DROP FUNCTION card_stays_spoiled();

-- Rows that are locked instead: who takes one waits for whoever has it.
INSERT INTO meta (key, value) VALUES
    ('lock.import', 'held by whoever asks what the register knows and then writes to it'),
    ('lock.resolve', 'held by whoever decides who somebody is')
ON CONFLICT (key) DO NOTHING;

-- The histories say themselves where they are seen, as what they are the history of does. A release that does not know
-- the column writes '', which only a reader of the whole country sees.
ALTER TABLE person_event ADD COLUMN unit_path text NOT NULL DEFAULT '';
ALTER TABLE application_action ADD COLUMN unit_path text NOT NULL DEFAULT '';
ALTER TABLE application_record ADD COLUMN unit_path text NOT NULL DEFAULT '';
ALTER TABLE case_action ADD COLUMN unit_path text NOT NULL DEFAULT '';
UPDATE person_event e SET unit_path = p.unit_path FROM person p WHERE p.person_id = e.person_id;
UPDATE application_action x SET unit_path = a.unit_path FROM application a WHERE a.application_id = x.application_id;
UPDATE application_record r SET unit_path = a.unit_path FROM application a WHERE a.application_id = r.application_id;
UPDATE case_action x SET unit_path = c.unit_path FROM case_file c WHERE c.case_id = x.case_id;

ALTER POLICY person_event_scope ON person_event
    USING (unit_path LIKE current_setting('app.unit_path', true) || '%');
ALTER POLICY application_action_scope ON application_action
    USING (unit_path LIKE current_setting('app.unit_path', true) || '%');
ALTER POLICY application_record_scope ON application_record
    USING (unit_path LIKE current_setting('app.unit_path', true) || '%');
ALTER POLICY case_action_scope ON case_action
    USING (unit_path LIKE current_setting('app.unit_path', true) || '%');
