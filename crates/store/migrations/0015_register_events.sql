-- One writer for people (docs/decisions/0020-one-writer-for-people.md): what happened is told apart from whom it
-- happened to, an event says on which day it has legal effect, and what it replaced is kept.

-- One thing that happened: to one person, or to two that were merged. Its id is its sender's, so that a repeat is known.
CREATE TABLE civil_event (
    event_id uuid PRIMARY KEY,
    kind text NOT NULL,                -- as of person_event
    legal_on integer NOT NULL,         -- yyyymmdd, 00 for an unknown part
    document_id uuid,                  -- the paper behind it
    case_id uuid,                      -- the case that it closed
    reverses uuid,                     -- the event that it takes back
    unit_path text NOT NULL,           -- where its first person was seen from when it was recorded
    actor text NOT NULL,
    recorded_at timestamptz NOT NULL
);

-- What changed after the registration, sparse: a person whose data never changed has no row. The first change of a part
-- of a field also writes the value that it displaced, as version 1.
CREATE TABLE person_fact (
    person_id uuid NOT NULL,
    version integer NOT NULL,          -- of the event that said so
    field text NOT NULL,
    part text NOT NULL,
    value text,                        -- NULL: nothing is stated
    valid_from integer,                -- yyyymmdd, 00 for an unknown part; NULL: it was always so
    valid_to integer,                  -- the day after the last, where a later value was known
    event_id uuid,                     -- NULL for a displaced value, and for what was recorded before events had ids
    unit_path text NOT NULL,           -- that of the person
    PRIMARY KEY (person_id, version, field, part)
);

-- The event's id; for a registration from a file, the file's. NULL for what was recorded before.
ALTER TABLE person_event ADD COLUMN event_id uuid;
-- The day of legal effect as the paper says it, yyyymmdd; `at` is the same as an instant. NULL: the day of `at`.
ALTER TABLE person_event ADD COLUMN legal_on integer;
-- sex, birth_year, entry_error (cancelled) or merged; NULL while it is somebody's.
ALTER TABLE pin ADD COLUMN ended_reason text;

ALTER TABLE civil_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY civil_event_scope ON civil_event FOR SELECT TO dancu_scoped
    USING (unit_path LIKE current_setting('app.unit_path', true) || '%');
GRANT SELECT ON civil_event TO dancu_scoped;
ALTER TABLE person_fact ENABLE ROW LEVEL SECURITY;
CREATE POLICY person_fact_scope ON person_fact FOR SELECT TO dancu_scoped
    USING (unit_path LIKE current_setting('app.unit_path', true) || '%');
GRANT SELECT ON person_fact TO dancu_scoped;

-- Histories of before are told as events are told now, so that they can be folded: which number came, went and came
-- back. Nothing but allocation, merges and splits was recorded, and a merge moved or ended the one number of a record.
UPDATE pin SET ended_reason = 'merged' WHERE ended_at IS NOT NULL;
CREATE TEMPORARY TABLE moved_number ON COMMIT DROP AS
    SELECT person_id AS from_id, (detail->>'into')::uuid AS to_id, recorded_at FROM person_event
    WHERE kind = 'merged' AND (detail->>'pin_moved')::boolean;
-- The number of each record that has a history: its own, the one that ended, or the one that a record has to which it
-- moved.
CREATE TEMPORARY TABLE own_number ON COMMIT DROP AS
    WITH RECURSIVE own (person_id, pin) AS (
        SELECT p.person_id, p.pin FROM person p WHERE p.version > 1 AND p.pin IS NOT NULL
        UNION ALL
        SELECT p.person_id, n.pin FROM person p JOIN pin n USING (person_id)
        WHERE p.version > 1 AND p.pin IS NULL AND n.ended_at IS NOT NULL
    ), found (person_id, pin) AS (
        SELECT person_id, pin FROM own
        UNION
        SELECT p.person_id, found.pin FROM found JOIN person p ON p.same_as = found.person_id
        WHERE EXISTS (SELECT FROM moved_number m WHERE m.from_id = p.person_id AND m.to_id = p.same_as)
          AND NOT EXISTS (SELECT FROM own WHERE own.person_id = p.person_id)
    )
    SELECT person_id, pin FROM found;
UPDATE person_event e
    SET detail = jsonb_build_object('kind', e.kind, 'pin', n.pin, 'origin',
        CASE WHEN m.from_id IS NULL THEN '"allocated"'::jsonb
             ELSE jsonb_build_object('merged', jsonb_build_object('from', m.from_id)) END)
    FROM person_event x
         LEFT JOIN moved_number m ON m.to_id = x.person_id AND m.recorded_at = x.recorded_at
         JOIN own_number n ON n.person_id = coalesce(m.from_id, x.person_id)
    WHERE x.kind = 'pin_assigned' AND x.detail IS NULL AND e.person_id = x.person_id AND e.version = x.version;
UPDATE person_event SET detail = detail || jsonb_build_object('kind', kind) WHERE kind IN ('merged', 'split');
-- What each of these events left as the number, in the order of the versions.
CREATE TEMPORARY TABLE number_change ON COMMIT DROP AS
    WITH step AS (
        SELECT e.person_id, e.version, e.kind, e.detail, e.unit_path, n.pin AS own,
               e.at, lag(e.kind) OVER w AS before, lag(e.kind, 2) OVER w AS before_that,
               lag(e.detail) OVER w AS detail_before
        FROM person_event e JOIN person p USING (person_id) LEFT JOIN own_number n USING (person_id)
        WHERE p.version > 1 WINDOW w AS (PARTITION BY e.person_id ORDER BY e.version)
    ), lost AS (
        SELECT *, CASE WHEN kind <> 'merged' THEN NULL
                       WHEN before = 'pin_assigned' THEN detail_before->>'pin'
                       WHEN before = 'split' AND before_that IS DISTINCT FROM 'merged' THEN NULL
                       ELSE own END AS number
        FROM step
    ), returned AS (
        SELECT *, lag(number) OVER (PARTITION BY person_id ORDER BY version) AS number_before FROM lost
    )
    SELECT person_id, version, kind, unit_path, number,
           -- Numbers follow one another: none begins before the one that it follows.
           to_char(max(at) OVER (PARTITION BY person_id ORDER BY version) AT TIME ZONE 'Asia/Ho_Chi_Minh',
                   'YYYYMMDD')::integer AS since,
           CASE WHEN kind = 'pin_assigned' THEN detail->>'pin' WHEN kind = 'split' THEN number_before END AS value
    FROM returned
    WHERE kind = 'pin_assigned' OR (kind = 'merged' AND number IS NOT NULL)
       OR (kind = 'split' AND (before IS DISTINCT FROM 'merged' OR number_before IS NOT NULL));
INSERT INTO person_fact (person_id, version, field, part, value, valid_from, unit_path)
    SELECT person_id, version, 'pin', 'whole', value, since, unit_path FROM number_change
    UNION ALL
    (SELECT DISTINCT ON (person_id) person_id, 1, 'pin', 'whole', number, NULL::integer, unit_path FROM number_change
     ORDER BY person_id, version);
