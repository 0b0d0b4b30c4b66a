//! A district with applications in every state, each with the evidence that its state calls for.

use sqlx::AssertSqlSafe;

use domain::UnitCode;
use domain::unit::Units;
use store::UnitScope;
use testkit::FreshDatabase;

pub const DISTRICT: &str = "445";

pub fn scope_of(unit: UnitCode) -> UnitScope {
    let path = Units::latest().path(unit).expect("a unit of the table");
    UnitScope::parse(&path).expect("the table's paths are scopes")
}

pub fn communes() -> Vec<UnitCode> {
    Units::latest().leaves_of(DISTRICT.parse().expect("a code"))
}

/// Applications 1 to `count`: state number `n % 12` in the order of the flow, commune number `n / 12 % 4`,
/// captured from 1 March 2021 on, 5 days later for every third, with a day between two actions.
pub async fn fill(db: &FreshDatabase, count: u32) {
    let units: Vec<String> = communes().iter().take(4).map(|unit| unit.to_string()).collect();
    let parent = scope_of(DISTRICT.parse().expect("a code"));
    let sql = SQL
        .replace("{count}", &count.to_string())
        .replace("{units}", &units.join(","))
        .replace("{parent}", parent.as_str());
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(db.admin()).await.expect("the rows fit the schema");
}

const SQL: &str = r"
CREATE TABLE made AS
SELECT n, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid AS id, n % 12 AS rank,
       (string_to_array('{units}', ','))[n / 12 % 4 + 1] AS unit,
       (ARRAY['captured', 'received', 'in_case', 'rejected', 'accepted', 'batched', 'printed', 'to_district',
              'at_district', 'to_unit', 'at_unit', 'handed_over'])[n % 12 + 1] AS state,
       CASE WHEN n % 12 < 4
            THEN (ARRAY['{capture}', '{capture,receive}', '{capture,receive,open_case}',
                        '{capture,receive,reject}'])[n % 12 + 1]::text[]
            ELSE (ARRAY['capture', 'receive', 'accept', 'batch', 'print', 'dispatch', 'district_receive',
                        'forward', 'unit_receive', 'hand_over'])
                 [1:n % 12 - 1] END AS history,
       '2021-03-01 10:00+07'::timestamptz + n % 3 * interval '5 days' AS at
FROM generate_series(1, {count}) AS n;

INSERT INTO application (application_id, kit_id, kind, state, state_since, actions, unit_code, unit_path,
                         person_id, captured_at)
SELECT id, gen_random_uuid(), 'new', state, at + (cardinality(history) - 1) * interval '1 day',
       cardinality(history), unit, '{parent}' || unit || '/', id, at FROM made;
INSERT INTO application_action (application_id, seq, action, at, recorded_at, actor)
SELECT id, seq, action, at + (seq - 1) * interval '1 day', at, 'centre'
FROM made, unnest(history) WITH ORDINALITY AS h (action, seq);
-- Each application is that of a person of its commune, born in 1980.
INSERT INTO person (person_id, full_name, name_fold, sex, birth, ethnicity, religion, nationality,
                    permanent_unit, permanent_detail, unit_path, form_no, form_hash, import_id, recorded_at)
SELECT id, 'Nguyễn Thị Mẫu', 'NGUYEN THI MAU', 2, 19800101, 1, 0, 'VNM', unit, '', '{parent}' || unit || '/',
       n::text, '', '00000000-0000-7000-8000-000000000004', at FROM made;
INSERT INTO packet (packet_id, kit_id, application_id, kit_seq, sha256, sealed, received_at)
SELECT id, '00000000-0000-7000-8000-000000000000', id, n, '', '', at FROM made WHERE rank > 0;

INSERT INTO batch (batch_id, number, unit_code, opened_at, size, manifest_sha256)
SELECT '00000000-0000-7000-8000-000000000001', 1, '445', now(), count(*), '' FROM made WHERE rank >= 5;
INSERT INTO card (card_id, number, application_id, person_id, pin, state, issued_on, ds_serial, token_sha256,
                  unit_code, unit_path, intended_at)
SELECT id, n::text, id, id, '', CASE rank WHEN 5 THEN 'signed' WHEN 11 THEN 'active' ELSE 'personalised' END,
       '2021-03-05', '', '', unit, '{parent}' || unit || '/', at FROM made WHERE rank >= 5;
INSERT INTO batch_item (batch_id, position, application_id, card_id, outcome)
SELECT '00000000-0000-7000-8000-000000000001', n, id, id, CASE WHEN rank > 5 THEN 'printed' END
FROM made WHERE rank >= 5;

INSERT INTO consignment (consignment_id, leg, from_code, to_code, size, manifest_sha256, sent_at)
SELECT '00000000-0000-7000-8000-000000000002', 'district', 'centre', '445', count(*), '', now()
FROM made WHERE rank >= 7;
INSERT INTO consignment_item (consignment_id, application_id, received)
SELECT '00000000-0000-7000-8000-000000000002', id, CASE WHEN rank > 7 THEN true END FROM made WHERE rank >= 7;
INSERT INTO consignment (consignment_id, leg, from_code, to_code, size, manifest_sha256, sent_at)
SELECT ('00000000-0000-7000-8000-0000000' || unit)::uuid, 'commune', '445', unit, count(*), '', now()
FROM made WHERE rank >= 9 GROUP BY unit;
INSERT INTO consignment_item (consignment_id, application_id, received)
SELECT ('00000000-0000-7000-8000-0000000' || unit)::uuid, id, CASE WHEN rank > 9 THEN true END
FROM made WHERE rank >= 9;
INSERT INTO handover (application_id, attempt, at, outcome, officer)
SELECT id, 1, at, 'absent', '' FROM made WHERE rank IN (10, 11);
INSERT INTO handover (application_id, attempt, at, outcome, officer)
SELECT id, 2, at, 'handed_over', '' FROM made WHERE rank = 11;

-- Two thousand people for each commune are eligible and everyone captured was invited once.
INSERT INTO area (unit_code, unit_path, residents, eligible, eligible_on, quota)
SELECT unit, '{parent}' || unit || '/', 3000, 2000, '2021-03-01', 1000
FROM unnest(string_to_array('{units}', ',')) AS unit;
INSERT INTO target (unit_code, name, amount, kind, starts_on, deadline, deadline_wording, source)
VALUES ('445', 'spring', 10000, 'floor', '2021-03-01', '2021-06-10', 'before', 'test');
INSERT INTO kit (kit_id, name, unit_code, public_key, registered_at)
VALUES ('00000000-0000-7000-8000-000000000003', 'kit', '445', '', now());
INSERT INTO slot (slot_id, kit_id, unit_code, unit_path, site, day, shift, starts_at, minutes, capacity,
                  round)
SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid,
       '00000000-0000-7000-8000-000000000003', '445', '{parent}', '', '2021-03-01', 1,
       '2021-03-01 00:00+07'::timestamptz + n * interval '1 hour', 60, 1000, 1
FROM generate_series(0, {count} / 1000) AS n;
INSERT INTO invitation (person_id, round, slot_id, slot_capacity, seat, unit_path, state, invited_at)
SELECT id, 1, ('00000000-0000-7000-8000-' || lpad((n / 1000)::text, 12, '0'))::uuid, 1000, n % 1000 + 1,
       '{parent}' || unit || '/', 'attended', at FROM made;
DROP TABLE made;
";
