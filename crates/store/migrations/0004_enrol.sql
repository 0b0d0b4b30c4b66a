-- Packets, applications and their recorded actions.

CREATE TABLE application (
    application_id uuid PRIMARY KEY,
    kit_id uuid NOT NULL,
    kind text NOT NULL,                -- new, exchange, reissue
    state text NOT NULL,               -- fold of application_action, written in the same transaction
    state_since timestamptz NOT NULL,
    actions smallint NOT NULL,         -- number of recorded actions: the next one's seq
    unit_code text NOT NULL,           -- where it was captured and where the card is handed over
    unit_path text NOT NULL,
    claimed_person_id uuid,            -- whom the officer found in the register; NULL when nobody
    person_id uuid,                    -- whom the centre linked it to
    receipt_hash bytea,                -- SHA-256 of the receipt code printed for the citizen
    captured_at timestamptz NOT NULL,
    received_at timestamptz
) WITH (fillfactor = 60);
CREATE UNIQUE INDEX application_by_receipt ON application (receipt_hash);
CREATE INDEX application_by_person ON application (person_id) WHERE person_id IS NOT NULL;
CREATE INDEX application_by_unit ON application (unit_path text_pattern_ops);
-- Work queues: only the states that a worker polls for.
CREATE INDEX application_queue ON application (state, captured_at, application_id)
    WHERE state NOT IN ('handed_over', 'rejected');

CREATE TABLE application_action (
    application_id uuid NOT NULL,
    seq smallint NOT NULL,             -- from 1, without gaps
    action text NOT NULL,
    at timestamptz NOT NULL,           -- when it happened
    recorded_at timestamptz NOT NULL,  -- when the centre learned of it
    actor text NOT NULL,               -- kit:…, centre, account:…
    ref uuid,                          -- packet, case, batch, card or consignment
    detail jsonb,
    PRIMARY KEY (application_id, seq)
);

-- What the citizen declared at capture, after validation (a serialised ResidentRecord).
CREATE TABLE application_record (
    application_id uuid PRIMARY KEY,
    record jsonb NOT NULL,
    differs text[] NOT NULL            -- fields in which it differs from the register's record
);

-- The sealed packet as it came. Its ciphertext is the biometrics' resting place: the content key, unwrapped once at
-- intake, is kept wrapped by the key-encryption key, so that the intake key can be rolled without touching packets.
CREATE TABLE packet (
    packet_id uuid PRIMARY KEY,
    kit_id uuid NOT NULL,
    application_id uuid NOT NULL,
    kit_seq bigint NOT NULL,           -- the kit's own counter: a gap is a packet that is still on the kit
    sha256 bytea NOT NULL,
    sealed bytea NOT NULL,
    wrapped_key bytea,                 -- RFC 3394; NULL when the packet was refused
    refused text,                      -- error code; NULL when it was opened and valid
    received_at timestamptz NOT NULL,
    UNIQUE (kit_id, kit_seq)
);
ALTER TABLE packet ALTER COLUMN sealed SET STORAGE EXTERNAL; -- ciphertext does not compress
CREATE INDEX packet_by_application ON packet (application_id);
-- The opening worker's queue.
CREATE INDEX packet_unopened ON packet (received_at, packet_id) WHERE wrapped_key IS NULL AND refused IS NULL;

-- Uploads that were not taken over: answered, counted and kept, one row for each different upload and reason.
CREATE TABLE intake_refusal (
    sha256 bytea NOT NULL,             -- of the bytes that arrived
    code text NOT NULL,
    kit_id uuid,                       -- as claimed; NULL when it could not be read
    packet_id uuid,                    -- as claimed
    size integer NOT NULL,             -- bytes
    times bigint NOT NULL DEFAULT 1,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    PRIMARY KEY (sha256, code)
);
CREATE INDEX intake_refusal_by_kit ON intake_refusal (kit_id) WHERE kit_id IS NOT NULL;

-- A kit's signed end-of-day report: what it captured and what it still holds.
CREATE TABLE kit_report (
    kit_id uuid NOT NULL,
    day date NOT NULL,
    captured bigint NOT NULL,          -- that day
    unsent bigint NOT NULL,            -- at the time of the report
    captured_total bigint NOT NULL,    -- since the kit was registered
    reported_at timestamptz NOT NULL,
    message bytea NOT NULL,            -- the signed report, kept as evidence
    PRIMARY KEY (kit_id, day)
);

ALTER TABLE application ENABLE ROW LEVEL SECURITY;
CREATE POLICY application_scope ON application FOR SELECT TO dancu_scoped
    USING (unit_path LIKE current_setting('app.unit_path', true) || '%');
ALTER TABLE application_action ENABLE ROW LEVEL SECURITY;
CREATE POLICY application_action_scope ON application_action FOR SELECT TO dancu_scoped
    USING (EXISTS (SELECT 1 FROM application a WHERE a.application_id = application_action.application_id));
ALTER TABLE application_record ENABLE ROW LEVEL SECURITY;
CREATE POLICY application_record_scope ON application_record FOR SELECT TO dancu_scoped
    USING (EXISTS (SELECT 1 FROM application a WHERE a.application_id = application_record.application_id));
GRANT SELECT ON application, application_action, application_record TO dancu_scoped;
