-- Certificates of the other roles, revocation, and the lists that announce it.

ALTER TABLE certificate DROP CONSTRAINT certificate_role_check;
ALTER TABLE certificate ADD CONSTRAINT certificate_role_check
    CHECK (role IN ('csca', 'csca_link', 'document_signer', 'master_list_signer'));
ALTER TABLE certificate ADD COLUMN revoked_at timestamptz;
ALTER TABLE certificate ADD COLUMN revocation_reason smallint   -- CRLReason (RFC 5280 §5.3.1)
    CHECK (revocation_reason IN (1, 2, 3, 4, 5, 6, 9, 10));

-- Revocation lists. The number is stored before the list is signed, as a certificate's serial number is.
CREATE TABLE crl (
    number bigint PRIMARY KEY,
    issuer_serial text NOT NULL,       -- of the CSCA certificate under whose key the list is
    this_update timestamptz NOT NULL,
    next_update timestamptz NOT NULL,
    der bytea                          -- NULL while only intended
);
CREATE INDEX crl_by_issuer ON crl (issuer_serial, number);
