-- What a commander sees and does about kits, officers, packets that were set aside and the trail, on pages
-- (docs/decisions/0031-database-roles.md, crates/store/ROLES.md).

-- A packet says itself where it is seen, as its application does. A release that does not know the column writes '',
-- which only a reader of the whole country sees.
ALTER TABLE packet ADD COLUMN unit_path text NOT NULL DEFAULT '';
UPDATE packet p SET unit_path = a.unit_path FROM application a WHERE a.application_id = p.application_id;
ALTER TABLE packet ENABLE ROW LEVEL SECURITY;
CREATE POLICY packet_scope ON packet FOR SELECT TO dancu_scoped
    USING (unit_path ~>=~ scope_path() AND unit_path ~<~ (scope_path() || '~'));
CREATE POLICY packet_work ON packet TO dancu_work, dancu_pages USING (true) WITH CHECK (true);
-- No content, no hash: who sent it, when, and why it is set aside.
GRANT SELECT (packet_id, kit_id, kit_seq, application_id, unit_path, received_at, attempts, quarantined, quarantined_at,
              credential_id, content)
    ON packet TO dancu_scoped;

-- Rows of the trail have their unit since the beginning.
ALTER TABLE audit ENABLE ROW LEVEL SECURITY;
CREATE POLICY audit_scope ON audit FOR SELECT TO dancu_scoped
    USING (unit_path ~>=~ scope_path() AND unit_path ~<~ (scope_path() || '~'));
CREATE POLICY audit_work ON audit TO dancu_work, dancu_pages USING (true) WITH CHECK (true);
GRANT SELECT (chain, seq, at, actor, action, subject, unit_path, detail) ON audit TO dancu_scoped;
-- A commune's rows among a country's.
CREATE INDEX audit_unit ON audit (unit_path text_pattern_ops, at);

-- What a commander's word changes: that a packet is set aside, and what stands against a kit or a credential. Neither a
-- key nor a name, and nothing is added.
GRANT SELECT ON officer_credential TO dancu_pages;
GRANT SELECT (unit_path, credential_id, content) ON packet TO dancu_pages;
GRANT UPDATE (attempts, quarantined, quarantined_at) ON packet TO dancu_pages;
GRANT UPDATE (proposed, proposed_at, proposed_by, proposed_reason, revoked_at, revoked_reason, stopped_at, stopped_for)
    ON kit TO dancu_pages;
GRANT UPDATE (proposed, proposed_at, proposed_by, proposed_reason, revoked_at, revoked_reason) ON officer_credential
    TO dancu_pages;
