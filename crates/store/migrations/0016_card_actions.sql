-- The life of a card as recorded actions (docs/decisions/0021-cards-are-recorded-actions.md): card.state is
-- their fold, written with them. A card out of force for the time being, and one whose last day is over, get
-- states of their own.

CREATE TABLE card_action (
    application_id uuid NOT NULL,      -- the card's, so that its history lies where it does
    card_id uuid NOT NULL,
    seq smallint NOT NULL CHECK (seq > 0),
    action text NOT NULL CHECK (action IN ('intend', 'sign', 'personalise', 'spoil', 'hand_over', 'replace',
                                           'suspend', 'reinstate', 'revoke', 'expire')),
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    actor text NOT NULL,
    reason text CHECK ((reason IS NOT NULL) = (action IN ('spoil', 'suspend', 'reinstate', 'revoke'))),
    unit_path text NOT NULL,
    PRIMARY KEY (application_id, card_id, seq)
);

ALTER TABLE card DROP CONSTRAINT card_state_check;
ALTER TABLE card ADD CONSTRAINT card_state_check
    CHECK (state IN ('intended', 'signed', 'personalised', 'active', 'suspended', 'spoiled', 'replaced', 'expired',
                     'revoked'));
-- How many actions are recorded. A release that does not know the column leaves 0, and the check of the folds
-- finds it.
ALTER TABLE card ADD COLUMN actions smallint NOT NULL DEFAULT 0;

-- What may be replaced, by person; and whose last day is to be watched.
CREATE INDEX card_in_force ON card (person_id) WHERE state IN ('active', 'suspended');
CREATE INDEX card_by_last_day ON card (expires_on, card_id)
    WHERE state IN ('active', 'suspended') AND expires_on IS NOT NULL;

-- The cards of before get the actions that led to their states, dated as what was recorded of them at the
-- time: the actions of their applications, their hand-overs, and the results of their batches. What was recorded
-- nowhere is dated as what came before it. Nothing that shipped revoked a card: one that was revoked by hand is
-- dated so too, as issued in error.
WITH produced AS (
    SELECT i.card_id, x.action, min(x.at) AS at, min(x.recorded_at) AS recorded_at, min(x.actor) AS actor
    FROM batch_item i JOIN application_action x
        ON x.application_id = i.application_id AND x.ref = i.batch_id AND x.action IN ('print', 'spoil')
    GROUP BY i.card_id, x.action
), handed AS (
    SELECT h.application_id, min(h.at) AS at, min(coalesce(x.recorded_at, h.at)) AS recorded_at,
           min(h.officer) AS actor
    FROM handover h LEFT JOIN application_action x
        ON x.application_id = h.application_id AND x.action = 'hand_over'
    WHERE h.outcome = 'handed_over' GROUP BY h.application_id
), life AS (
    SELECT c.card_id, c.application_id, c.person_id, c.unit_path, c.state, c.intended_at,
           coalesce(c.signed_at, c.intended_at) AS signed_at,
           coalesce(p.at, b.closed_at, c.signed_at, c.intended_at) AS produced_at,
           coalesce(p.recorded_at, b.closed_at, c.signed_at, c.intended_at) AS produced_recorded_at,
           coalesce(p.actor, 'centre') AS produced_by,
           CASE WHEN k.reason IN ('printer', 'chip', 'verification', 'attempts', 'terminated', 'lost', 'damaged',
                                  'misprinted', 'broken') THEN k.reason ELSE 'printer' END AS spoiled_for,
           coalesce(h.at, p.at, b.closed_at, c.signed_at, c.intended_at) AS handed_at,
           coalesce(h.recorded_at, p.recorded_at, b.closed_at, c.signed_at, c.intended_at) AS handed_recorded_at,
           coalesce(h.actor, 'centre') AS handed_by,
           c.state IN ('active', 'replaced') OR (c.state = 'revoked' AND h.application_id IS NOT NULL) AS was_handed
    FROM card c
    LEFT JOIN batch_item i ON i.card_id = c.card_id
    LEFT JOIN batch b ON b.batch_id = i.batch_id
    LEFT JOIN produced p ON p.card_id = c.card_id
        AND p.action = CASE c.state WHEN 'spoiled' THEN 'spoil' ELSE 'print' END
    LEFT JOIN blank k ON k.card_id = c.card_id
    LEFT JOIN handed h ON h.application_id = c.application_id AND c.state <> 'spoiled'
), followed AS (
    -- Of each card that was handed over, the next of its holder.
    SELECT card_id, lead(handed_at) OVER w AS at, lead(handed_recorded_at) OVER w AS recorded_at,
           lead(handed_by) OVER w AS actor
    FROM life WHERE was_handed WINDOW w AS (PARTITION BY person_id ORDER BY handed_at, card_id)
), step (application_id, card_id, unit_path, place, action, at, recorded_at, actor, reason) AS (
    SELECT application_id, card_id, unit_path, 1, 'intend', intended_at, intended_at, 'centre', NULL FROM life
    UNION ALL
    SELECT application_id, card_id, unit_path, 2, 'sign', signed_at, signed_at, 'centre', NULL
    FROM life WHERE state <> 'intended'
    UNION ALL
    SELECT application_id, card_id, unit_path, 3, 'spoil', produced_at, produced_recorded_at, produced_by,
           spoiled_for
    FROM life WHERE state = 'spoiled'
    UNION ALL
    SELECT application_id, card_id, unit_path, 3, 'personalise', produced_at, produced_recorded_at, produced_by,
           NULL
    FROM life WHERE state IN ('personalised', 'active', 'replaced', 'revoked')
    UNION ALL
    SELECT application_id, card_id, unit_path, 4, 'hand_over', handed_at, handed_recorded_at, handed_by, NULL
    FROM life WHERE was_handed
    UNION ALL
    SELECT application_id, card_id, unit_path, 5, 'replace', coalesce(f.at, handed_at),
           coalesce(f.recorded_at, handed_recorded_at), coalesce(f.actor, handed_by), NULL
    FROM life LEFT JOIN followed f USING (card_id) WHERE state = 'replaced'
    UNION ALL
    SELECT application_id, card_id, unit_path, 5, 'revoke', handed_at, handed_recorded_at, 'centre',
           'issued_in_error'
    FROM life WHERE state = 'revoked'
)
INSERT INTO card_action (application_id, card_id, seq, action, at, recorded_at, actor, reason, unit_path)
SELECT application_id, card_id, row_number() OVER (PARTITION BY card_id ORDER BY place), action, at, recorded_at,
       actor, reason, unit_path
FROM step;
UPDATE card SET actions = done.actions
    FROM (SELECT application_id, card_id, count(*) AS actions FROM card_action GROUP BY 1, 2) done
    WHERE card.application_id = done.application_id AND card.card_id = done.card_id;

ALTER TABLE card_action ENABLE ROW LEVEL SECURITY;
CREATE POLICY card_action_scope ON card_action FOR SELECT TO dancu_scoped
    USING (unit_path LIKE current_setting('app.unit_path', true) || '%');
GRANT SELECT ON card_action TO dancu_scoped;
