-- Refused uploads are counted by kit, reason and day. A row for each different upload let whoever reaches the
-- kits' door fill the table, and 16 kB a second of rubbish is not worth keeping.
CREATE TABLE intake_refusal_count (
    kit_id uuid NOT NULL,              -- as claimed, of a registered kit; all zeros for everybody else
    code text NOT NULL,
    day date NOT NULL,                 -- in Vietnam
    times bigint NOT NULL,
    bytes bigint NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    last_sha256 bytea NOT NULL,        -- of the bytes that arrived last
    last_packet_id uuid,               -- as claimed by them
    PRIMARY KEY (kit_id, code, day)
);
INSERT INTO intake_refusal_count
    (kit_id, code, day, times, bytes, first_at, last_at, last_sha256, last_packet_id)
SELECT coalesce(k.kit_id, '00000000-0000-0000-0000-000000000000'), r.code,
       (r.last_at AT TIME ZONE 'Asia/Ho_Chi_Minh')::date, sum(r.times)::bigint, sum(r.times * r.size)::bigint,
       min(r.first_at), max(r.last_at),
       (array_agg(r.sha256 ORDER BY r.last_at DESC))[1], (array_agg(r.packet_id ORDER BY r.last_at DESC))[1]
FROM intake_refusal r LEFT JOIN kit k ON k.kit_id = r.kit_id
GROUP BY 1, 2, 3;
DROP TABLE intake_refusal;
ALTER TABLE intake_refusal_count RENAME TO intake_refusal;
ALTER TABLE intake_refusal RENAME CONSTRAINT intake_refusal_count_pkey TO intake_refusal_pkey;

-- What was taken over from each kit on each day, which has a limit (docs/decisions/0028-the-door.md).
CREATE TABLE kit_day (
    kit_id uuid NOT NULL,
    day date NOT NULL,                 -- of the receipt, in Vietnam
    packets bigint NOT NULL,
    bytes bigint NOT NULL,
    PRIMARY KEY (kit_id, day)
);
