-- What each login may do (docs/decisions/0031-database-roles.md). The logins are made by whoever makes the server;
-- crates/store/ROLES.md has the same as a table, and a test compares the two.

-- A scope is proved: whoever says which unit it reads for adds a code over unit, server process and transaction, which
-- only who has this key can compute. What is written into a scoped transaction by an attacker has not got it, and a
-- code that was seen elsewhere fits nowhere else. Two random blocks of SHA-256's block length take the place of HMAC's
-- padded key.
CREATE TABLE scope_key (
    inner_pad bytea NOT NULL CHECK (octet_length(inner_pad) = 64),
    outer_pad bytea NOT NULL CHECK (octet_length(outer_pad) = 64)
);
CREATE UNIQUE INDEX scope_key_is_one ON scope_key ((true));
INSERT INTO scope_key (inner_pad, outer_pad)
SELECT string_agg(part, '') FILTER (WHERE n <= 2), string_agg(part, '') FILTER (WHERE n > 2)
FROM (SELECT n, sha256(convert_to(gen_random_uuid()::text || gen_random_uuid()::text || n, 'UTF8')) AS part
      FROM generate_series(1, 4) AS n) AS parts;

-- The unit that this transaction may read, as its rows begin: '' is the whole country, which is said as '*'. NULL, which
-- no row fits, when none is said or it is not proved.
CREATE FUNCTION scope_path() RETURNS text
    LANGUAGE plpgsql STABLE SECURITY DEFINER PARALLEL RESTRICTED COST 1000
    SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    said text := current_setting('app.unit_path', true);
    pads record;
BEGIN
    IF coalesce(said, '') = '' THEN
        RETURN NULL;
    END IF;
    SELECT inner_pad, outer_pad INTO STRICT pads FROM public.scope_key;
    IF current_setting('app.unit_mac', true) IS DISTINCT FROM encode(sha256(pads.outer_pad || sha256(pads.inner_pad
        || convert_to(concat_ws(' ', pg_backend_pid(),
            (extract(epoch FROM transaction_timestamp()) * 1000000)::bigint, said), 'UTF8'))), 'hex')
    THEN
        RETURN NULL;
    END IF;
    RETURN CASE said WHEN '*' THEN '' ELSE said END;
END
$$;
REVOKE ALL ON FUNCTION scope_path() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION scope_path() TO dancu_scoped;

-- The server tells nobody but a table's owner how many rows it has, and a plan is made of tables just filled.
CREATE FUNCTION refresh_plan_statistics() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    ANALYZE public.slot, public.invitation;
END
$$;
REVOKE ALL ON FUNCTION refresh_plan_statistics() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION refresh_plan_statistics() TO dancu_work;

-- Who registers kits, and who opens campaigns, wait for one another by these rows; a lock of the table asks for the
-- right to change each of its rows.
INSERT INTO meta (key, value) VALUES ('lock.kit', ''), ('lock.campaign', '');

-- The comparison still reaches an index, whose bounds are then computed once a scan. Whoever does the work is held by
-- grants, not by units.
ALTER POLICY person_scope ON person
    USING (unit_path ~>=~ scope_path() AND unit_path ~<~ (scope_path() || '~'));
ALTER POLICY person_event_scope ON person_event
    USING (unit_path ~>=~ scope_path() AND unit_path ~<~ (scope_path() || '~'));
ALTER POLICY person_fact_scope ON person_fact
    USING (unit_path ~>=~ scope_path() AND unit_path ~<~ (scope_path() || '~'));
ALTER POLICY civil_event_scope ON civil_event
    USING (unit_path ~>=~ scope_path() AND unit_path ~<~ (scope_path() || '~'));
ALTER POLICY application_scope ON application
    USING (unit_path ~>=~ scope_path() AND unit_path ~<~ (scope_path() || '~'));
ALTER POLICY application_action_scope ON application_action
    USING (unit_path ~>=~ scope_path() AND unit_path ~<~ (scope_path() || '~'));
ALTER POLICY application_record_scope ON application_record
    USING (unit_path ~>=~ scope_path() AND unit_path ~<~ (scope_path() || '~'));
ALTER POLICY case_scope ON case_file
    USING (unit_path ~>=~ scope_path() AND unit_path ~<~ (scope_path() || '~'));
ALTER POLICY case_action_scope ON case_action
    USING (unit_path ~>=~ scope_path() AND unit_path ~<~ (scope_path() || '~'));
ALTER POLICY card_scope ON card
    USING (unit_path ~>=~ scope_path() AND unit_path ~<~ (scope_path() || '~'));
ALTER POLICY card_action_scope ON card_action
    USING (unit_path ~>=~ scope_path() AND unit_path ~<~ (scope_path() || '~'));
CREATE POLICY person_work ON person TO dancu_work, dancu_pages USING (true) WITH CHECK (true);
CREATE POLICY person_event_work ON person_event TO dancu_work, dancu_pages USING (true) WITH CHECK (true);
CREATE POLICY person_fact_work ON person_fact TO dancu_work, dancu_pages USING (true) WITH CHECK (true);
CREATE POLICY civil_event_work ON civil_event TO dancu_work, dancu_pages USING (true) WITH CHECK (true);
CREATE POLICY application_work ON application TO dancu_work, dancu_pages USING (true) WITH CHECK (true);
CREATE POLICY application_action_work ON application_action TO dancu_work, dancu_pages USING (true) WITH CHECK (true);
CREATE POLICY application_record_work ON application_record TO dancu_work, dancu_pages USING (true) WITH CHECK (true);
CREATE POLICY case_file_work ON case_file TO dancu_work, dancu_pages USING (true) WITH CHECK (true);
CREATE POLICY case_action_work ON case_action TO dancu_work, dancu_pages USING (true) WITH CHECK (true);
CREATE POLICY card_work ON card TO dancu_work, dancu_pages USING (true) WITH CHECK (true);
CREATE POLICY card_action_work ON card_action TO dancu_work, dancu_pages USING (true) WITH CHECK (true);

-- Commands and jobs. Audit, recordings and actions are written once. What is there of an action, an event or a fact stays,
-- but for the unit of its person.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO dancu_work;
GRANT INSERT ON
    account, application, application_action, application_record, area, audit, batch, batch_item, blank, blank_box, campaign,
    card, card_action, case_action, case_file, certificate, change_cursor, change_log, civil_event, consignment,
    consignment_item, crl, handover, import_file, import_reject, import_repeat, intake_refusal, invitation, issue_blocked,
    job, kit, kit_day, kit_report, kit_shift, packet, person, person_event, person_fact, pin, recording, resolution, session, shown,
    shown_day, sim_progress, slot, stock_count, target, unit
    TO dancu_work;
GRANT UPDATE ON
    area, batch, batch_item, blank, change_cursor, change_log, consignment, consignment_item, import_file, import_reject,
    intake_refusal, invitation, job, kit_day, kit_report, kit_shift, person, pin, session, shown_day, sim_progress, target
    TO dancu_work;
GRANT UPDATE (password_hash, disabled_at) ON account TO dancu_work;
GRANT UPDATE (state, state_since, actions, received_at, claimed_person_id, person_id, receipt_hash) ON application
    TO dancu_work;
GRANT UPDATE (seq, hash) ON audit_head TO dancu_work;
GRANT UPDATE (state, actions, ds_serial, dg1, dg13, sod, qr, signed_at) ON card TO dancu_work;
GRANT UPDATE (decision, decided_person_id, decision_code, decided_by, confirmed_by, decided_at) ON case_file TO dancu_work;
GRANT UPDATE (issuer_serial, not_before, not_after, der, revoked_at, revocation_reason) ON certificate TO dancu_work;
GRANT UPDATE (der) ON crl TO dancu_work;
GRANT UPDATE (revoked_at, revoked_reason, heard_at) ON kit TO dancu_work;
-- Rows of it are locked, and to lock a row takes the right to change something of it.
GRANT UPDATE (value) ON meta TO dancu_work;
GRANT UPDATE (wrapped_key, refused, attempts, quarantined, quarantined_at) ON packet TO dancu_work;
GRANT UPDATE (unit_path) ON person_event, person_fact TO dancu_work;
GRANT UPDATE (seal) ON recording TO dancu_work;
GRANT DELETE ON job, pin, session, shown, shown_day TO dancu_work;

-- What pages do outside a scope: who is signed in, the trail, quotas, what adjudicators decide, and lists that are asked for
-- with the unit in the question. No key, no packet's content, no card, no certificate is written here.
GRANT SELECT ON
    _sqlx_migrations, account, application, application_action, application_record, area, audit, audit_head, batch,
    batch_item, campaign, card, card_action, case_action, case_file, certificate, change_log, civil_event, consignment,
    consignment_item, crl, handover, import_file, import_reject, intake_refusal, invitation, issue_blocked, kit, kit_day,
    kit_report, meta, person, person_event, person_fact, pin, recording, resolution, scope_key, session, shown, shown_day,
    sim_progress, slot, target, unit
    TO dancu_pages;
GRANT SELECT (packet_id, kit_id, kit_seq, application_id, sha256, refused, received_at, attempts, quarantined, quarantined_at)
    ON packet TO dancu_pages;
GRANT INSERT ON
    application_action, audit, case_action, change_log, civil_event, person_event, person_fact, pin, recording, session,
    shown, shown_day
    TO dancu_pages;
GRANT UPDATE ON person, pin, shown_day TO dancu_pages;
GRANT UPDATE (expires_at) ON session TO dancu_pages;
GRANT UPDATE (state, state_since, actions, received_at, person_id) ON application TO dancu_pages;
GRANT UPDATE (seq, hash) ON audit_head TO dancu_pages;
GRANT UPDATE (decision, decided_person_id, decision_code, decided_by, confirmed_by, decided_at) ON case_file TO dancu_pages;
GRANT UPDATE (value) ON meta TO dancu_pages;
GRANT UPDATE (unit_path) ON person_event, person_fact TO dancu_pages;
GRANT DELETE ON pin, session, shown, shown_day TO dancu_pages;
