-- Recorded actions become a part of the audit trail, and who looked at whom can be counted
-- (docs/decisions/0029-audit-heads.md).

-- What one call of `applications::record` or `cards::record` wrote: the SHA-256 over its actions. A seal of the audit
-- trail covers recordings, and a signed head covers the seal.
CREATE TABLE recording (
    kind         text        NOT NULL CHECK (kind IN ('application', 'card')),
    recording_id uuid        NOT NULL,
    recorded_at  timestamptz NOT NULL,
    actions      bigint      NOT NULL CHECK (actions >= 0),
    digest       bytea       NOT NULL CHECK (octet_length(digest) = 32),
    -- Eight bytes an action, which tell the action that is not as it was; NULL for the actions of before.
    marks        bytea       CHECK (octet_length(marks) = 8 * actions),
    -- Which row of the audit trail covers it; NULL until the next seal.
    seal         bigint      CHECK (seal > 0),
    PRIMARY KEY (kind, recording_id)
);
CREATE INDEX recording_unsealed ON recording (kind, recording_id) WHERE seal IS NULL;

-- The actions of before belong to the recording with the nil id, which the first seal makes of what it finds.
ALTER TABLE application_action
    ADD COLUMN recording uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';
ALTER TABLE card_action
    ADD COLUMN recording uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';

INSERT INTO meta (key, value) VALUES ('lock.seal', '');

-- The people and applications that an account was shown on a day, once each, and how many these are: what a quota
-- counts. The number is a row of its own, so that pages opened at once count one after the other.
CREATE TABLE shown (
    account_id uuid NOT NULL,
    day        date NOT NULL,
    thing_id   uuid NOT NULL,
    PRIMARY KEY (account_id, day, thing_id)
);
CREATE TABLE shown_day (
    account_id uuid   NOT NULL,
    day        date   NOT NULL,
    things     bigint NOT NULL,
    PRIMARY KEY (account_id, day)
);
CREATE INDEX shown_day_by_day ON shown_day (day);

-- Whether a case names a person.
CREATE INDEX case_by_person ON case_file (person_id) WHERE person_id IS NOT NULL;
CREATE INDEX case_by_other_person ON case_file (other_person_id) WHERE other_person_id IS NOT NULL;
