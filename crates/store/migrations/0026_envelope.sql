-- Envelope 3 (docs/decisions/0032-envelope-3.md): the chain of a kit's packets, the officer who signed, and what two
-- people agree on before a kit or an officer is revoked.

-- What a packet names as the one before it, who signed it, and what it carries.
ALTER TABLE packet ADD COLUMN prev_sha256 bytea CHECK (octet_length(prev_sha256) = 32);  -- NULL of the first
ALTER TABLE packet ADD COLUMN credential_id uuid;
ALTER TABLE packet ADD COLUMN content text NOT NULL DEFAULT 'application'
    CHECK (content IN ('application', 'recapture', 'hand_over'));
ALTER TABLE packet ADD COLUMN base_application_id uuid CHECK ((base_application_id IS NOT NULL) = (content = 'recapture'));
-- When a hand-over was booked.
ALTER TABLE packet ADD COLUMN applied_at timestamptz;
-- Another packet of the kit has the same number: both are kept, since each is somebody's application.
ALTER TABLE packet ADD COLUMN twin boolean NOT NULL DEFAULT false;
ALTER TABLE packet DROP CONSTRAINT packet_kit_id_kit_seq_key;
CREATE UNIQUE INDEX packet_counter ON packet (kit_id, kit_seq) WHERE NOT twin;
CREATE INDEX packet_twins ON packet (kit_id, kit_seq) WHERE twin;
CREATE INDEX packet_chain ON packet (kit_id, prev_sha256);
CREATE INDEX packet_hand_overs ON packet (received_at, packet_id)
    WHERE content = 'hand_over' AND wrapped_key IS NOT NULL AND applied_at IS NULL AND quarantined IS NULL;

-- A kit that is stopped: it showed that there are two of it.
ALTER TABLE kit ADD COLUMN stopped_at timestamptz;
ALTER TABLE kit ADD COLUMN stopped_for text CHECK ((stopped_for IS NULL) = (stopped_at IS NULL));
-- What one account proposes and another has to confirm.
ALTER TABLE kit ADD COLUMN proposed text CHECK (proposed IN ('revoke', 'resume'));
ALTER TABLE kit ADD COLUMN proposed_at timestamptz;
ALTER TABLE kit ADD COLUMN proposed_by text;
ALTER TABLE kit ADD COLUMN proposed_reason text;
ALTER TABLE kit ADD CHECK (num_nulls(proposed, proposed_at, proposed_by, proposed_reason) IN (0, 4));

-- With which officers sign: one key, one kit, until an end. The private half never leaves the kit.
CREATE TABLE officer_credential (
    credential_id uuid PRIMARY KEY,
    account_id uuid NOT NULL,
    login text NOT NULL,               -- when it was issued, for lists
    kit_id uuid NOT NULL REFERENCES kit,
    public_key bytea NOT NULL UNIQUE CHECK (octet_length(public_key) = 65),
    not_before timestamptz NOT NULL,
    not_after timestamptz NOT NULL CHECK (not_after > not_before),
    issued_by text NOT NULL,
    revoked_at timestamptz,
    revoked_reason text CHECK ((revoked_reason IS NULL) = (revoked_at IS NULL)),
    proposed text CHECK (proposed = 'revoke'),
    proposed_at timestamptz,
    proposed_by text,
    proposed_reason text,
    CHECK (num_nulls(proposed, proposed_at, proposed_by, proposed_reason) IN (0, 4))
);
CREATE INDEX officer_credential_by_kit ON officer_credential (kit_id);

-- What the work does with it (crates/store/ROLES.md).
GRANT SELECT, INSERT ON officer_credential TO dancu_work;
GRANT UPDATE (revoked_at, revoked_reason, proposed, proposed_at, proposed_by, proposed_reason) ON officer_credential
    TO dancu_work;
GRANT UPDATE (stopped_at, stopped_for, proposed, proposed_at, proposed_by, proposed_reason) ON kit TO dancu_work;
GRANT UPDATE (applied_at) ON packet TO dancu_work;
