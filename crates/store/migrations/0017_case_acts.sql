-- A case is what was said about it: a colleague may disagree and a proposer withdraw, and each row says the whole
-- decision it is about, so that the state of a case is the fold of its rows. A command's id makes a form that is sent
-- again the same command (docs/decisions/0024-deciding-a-case.md).
ALTER TABLE case_action ADD COLUMN decided_person_id uuid;
ALTER TABLE case_action ADD COLUMN decision_code text;
ALTER TABLE case_action ADD COLUMN command_id uuid;
-- Until now whom a decision links to, and why it rejects, stood in the case alone: of its latest decision.
UPDATE case_action x SET decided_person_id = c.decided_person_id, decision_code = c.decision_code
    FROM case_file c WHERE c.case_id = x.case_id AND c.decision = x.decision AND x.action <> 'reopen';
ALTER TABLE case_action DROP CONSTRAINT case_action_action_check;
ALTER TABLE case_action ADD CONSTRAINT case_action_action_check
    CHECK (action IN ('propose', 'confirm', 'disagree', 'withdraw', 'reopen'));
CREATE UNIQUE INDEX case_action_once ON case_action (case_id, command_id) WHERE command_id IS NOT NULL;
