-- Certificates, cards and production batches.

CREATE TABLE certificate (
    serial text PRIMARY KEY,           -- lower-case hex; stored before signing, so that a crash leaves a record
    role text NOT NULL CHECK (role IN ('csca', 'document_signer')),
    issuer_serial text,
    subject text NOT NULL,
    not_before timestamptz NOT NULL,
    not_after timestamptz NOT NULL,
    intended_at timestamptz NOT NULL,
    der bytea                          -- NULL while only intended
);

CREATE TABLE card (
    card_id uuid PRIMARY KEY,
    number text NOT NULL UNIQUE,       -- serial number of the blank; never reused, spoiled or not
    application_id uuid NOT NULL,
    person_id uuid NOT NULL,
    pin text NOT NULL,
    state text NOT NULL CHECK (state IN ('intended', 'signed', 'personalised', 'active', 'spoiled', 'replaced', 'revoked')),
    issued_on date NOT NULL,
    expires_on date,                   -- NULL: does not expire
    ds_serial text NOT NULL,
    token_sha256 bytea NOT NULL,       -- the signing token, redeemed once: intended → signed
    dg1 bytea, dg13 bytea, sod bytea,  -- EF.COM and DG2 are rebuilt from the packet's photo and checked against the SOD
    qr text,
    face jsonb,                        -- what is printed: fields of both sides
    unit_code text NOT NULL,
    unit_path text NOT NULL,
    intended_at timestamptz NOT NULL,
    signed_at timestamptz
) WITH (fillfactor = 80);
-- One active card per person and at most one in the making, whoever writes.
CREATE UNIQUE INDEX card_one_active ON card (person_id) WHERE state = 'active';
CREATE UNIQUE INDEX card_one_in_production ON card (person_id) WHERE state IN ('intended', 'signed', 'personalised');
CREATE INDEX card_by_application ON card (application_id);

CREATE TABLE batch (
    batch_id uuid PRIMARY KEY,
    number bigint NOT NULL UNIQUE,
    unit_code text NOT NULL,           -- the district it is for
    opened_at timestamptz NOT NULL,
    closed_at timestamptz,
    size integer NOT NULL,
    printed integer,                   -- NULL until the printer's results are in
    spoiled integer,
    manifest_sha256 bytea NOT NULL
);

CREATE TABLE batch_item (
    batch_id uuid NOT NULL REFERENCES batch,
    position integer NOT NULL,
    application_id uuid NOT NULL,
    card_id uuid NOT NULL,
    outcome text CHECK (outcome IN ('printed', 'spoiled')),
    PRIMARY KEY (batch_id, position)
);

-- Accepted applications from which no card can be made, with the reason; they leave the queue until someone acts.
CREATE TABLE issue_blocked (
    application_id uuid PRIMARY KEY,
    code text NOT NULL,                -- no_pin_structure, card_data, photo
    message text NOT NULL,
    since timestamptz NOT NULL
);

-- Blank stock as movements: what there is is their sum.
CREATE TABLE stock_movement (
    movement_id uuid PRIMARY KEY,
    at timestamptz NOT NULL,
    kind text NOT NULL CHECK (kind IN ('delivered', 'used', 'spoiled')),
    quantity integer NOT NULL,         -- positive in, negative out
    batch_id uuid
);

ALTER TABLE card ENABLE ROW LEVEL SECURITY;
CREATE POLICY card_scope ON card FOR SELECT TO dancu_scoped
    USING (unit_path LIKE current_setting('app.unit_path', true) || '%');
GRANT SELECT ON card TO dancu_scoped;
