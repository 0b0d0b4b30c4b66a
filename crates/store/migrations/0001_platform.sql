-- The platform's own tables: what every stage leans on. COLUMNS.md says which columns are public.

-- Page reads take this role, so that row-level security applies to them; the tables' owner bypasses it. Roles belong
-- to the whole cluster, so another database may have made it already, or be making it in this instant.
DO $$
BEGIN
    -- Asked first, because a user who may not create roles is refused even when the role is there.
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dancu_scoped') THEN
        CREATE ROLE dancu_scoped NOLOGIN;
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN NULL;
END
$$;

-- Since PostgreSQL 16 the creator of a role may grant it without being able to SET ROLE to it: ask for what is needed.
DO $$
DECLARE
    needed text := CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END;
BEGIN
    FOR attempt IN 1..20 LOOP
        EXIT WHEN pg_has_role(current_user, 'dancu_scoped', needed);
        BEGIN
            EXECUTE format('GRANT dancu_scoped TO %I', current_user);
        EXCEPTION
            -- "tuple concurrently updated": another database's migration granted in the same instant.
            WHEN internal_error OR unique_violation THEN PERFORM pg_sleep(0.05);
        END;
    END LOOP;
END
$$;

CREATE TABLE meta (
    key   text PRIMARY KEY,
    value text NOT NULL
);

-- Background work. Enqueued in the transaction that makes it necessary; completed in the transaction that does it.
-- An open job is due at run_at; a claim moves run_at to the lease's end, so that a lost worker's job comes back by itself.
CREATE TABLE job (
    id              uuid        PRIMARY KEY,
    queue           text        NOT NULL,
    idempotency_key text,
    payload         jsonb       NOT NULL,
    state           text        NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'dead')),
    run_at          timestamptz NOT NULL,
    attempts        integer     NOT NULL DEFAULT 0,
    max_attempts    integer     NOT NULL CHECK (max_attempts > 0),
    lease           uuid,
    worker          text,
    last_error      text,
    enqueued_at     timestamptz NOT NULL,
    finished_at     timestamptz,
    CHECK ((state = 'open') = (finished_at IS NULL)),
    CHECK (state = 'open' OR lease IS NULL)
);
-- The key holds for good: a message that arrives again after its job was done does nothing.
CREATE UNIQUE INDEX job_idempotency ON job (queue, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX job_due ON job (queue, run_at, id) WHERE state = 'open';
CREATE INDEX job_dead ON job (queue, finished_at) WHERE state = 'dead';
CREATE INDEX job_done ON job (finished_at) WHERE state = 'done';

-- The audit trail: several hash chains, so that writers do not all queue for one head.
CREATE TABLE audit (
    chain     smallint    NOT NULL,
    seq       bigint      NOT NULL CHECK (seq > 0),
    at        timestamptz NOT NULL,
    actor     text        NOT NULL,
    action    text        NOT NULL,
    subject   text        NOT NULL,
    unit_path text        NOT NULL,
    -- json keeps the text byte for byte, and the hash is over it; jsonb would not.
    detail    json        NOT NULL,
    prev_hash bytea       NOT NULL CHECK (octet_length(prev_hash) = 32),
    hash      bytea       NOT NULL CHECK (octet_length(hash) = 32),
    PRIMARY KEY (chain, seq)
);
CREATE INDEX audit_subject ON audit (subject, at);
CREATE INDEX audit_at ON audit (at);

CREATE TABLE audit_head (
    chain smallint PRIMARY KEY,
    seq   bigint   NOT NULL,
    hash  bytea    NOT NULL CHECK (octet_length(hash) = 32)
);
INSERT INTO audit_head (chain, seq, hash)
SELECT chain, 0, decode(repeat('00', 32), 'hex') FROM generate_series(0, 15) AS chain;

CREATE TABLE account (
    id            uuid        PRIMARY KEY,
    login         text        NOT NULL UNIQUE CHECK (login = lower(login) AND login <> ''),
    role          text        NOT NULL,
    unit_path     text        NOT NULL,
    display_name  text        NOT NULL,
    password_hash text        NOT NULL,
    created_at    timestamptz NOT NULL,
    disabled_at   timestamptz
);

CREATE TABLE session (
    token_hash  bytea       PRIMARY KEY CHECK (octet_length(token_hash) = 32),
    account_id  uuid        NOT NULL REFERENCES account (id),
    csrf_secret bytea       NOT NULL CHECK (octet_length(csrf_secret) = 32),
    created_at  timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL
);
CREATE INDEX session_account ON session (account_id);
CREATE INDEX session_expires ON session (expires_at);

-- Where a simulated campaign has got to, so that a stopped one goes on.
CREATE TABLE sim_progress (
    key   text  PRIMARY KEY,
    value jsonb NOT NULL
);
