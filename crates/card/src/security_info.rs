//! SecurityInfos (Doc 9303-11 §9.2): what a chip can do to prove itself and to protect the conversation.
//! EF.CardAccess shows a part of them to everyone; DG14 holds all of them, signed.

use crate::{
    CardError,
    ec_key::EcPublicKey,
    tlv::{self, Tag, Tlv},
};

/// More than any chip announces.
const MOST_INFOS: usize = 64;

/// Object identifiers of protocols, content bytes only.
pub mod oid {
    /// id-TA, 0.4.0.127.0.7.2.2.2.
    pub const TERMINAL_AUTHENTICATION: &[u8] = &[0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x02];
    /// id-CA-ECDH-AES-CBC-CMAC-128, 0.4.0.127.0.7.2.2.3.2.2.
    pub const CHIP_AUTHENTICATION_AES_128: &[u8] =
        &[0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x03, 0x02, 0x02];
    /// id-CA-ECDH, the arc of all Chip Authentication protocols over elliptic curves.
    pub const CHIP_AUTHENTICATION_ECDH: &[u8] = &[0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x03, 0x02];
    /// id-PK-ECDH, 0.4.0.127.0.7.2.2.1.2.
    pub const CHIP_PUBLIC_KEY_ECDH: &[u8] = &[0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x01, 0x02];
    /// id-PACE, the arc of all PACE protocols, 0.4.0.127.0.7.2.2.4.
    pub const PACE: &[u8] = &[0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x04];
    /// id-PACE-ECDH-GM-AES-CBC-CMAC-128, 0.4.0.127.0.7.2.2.4.2.2.
    pub const PACE_ECDH_GM_AES_128: &[u8] = &[0x04, 0x00, 0x7F, 0x00, 0x07, 0x02, 0x02, 0x04, 0x02, 0x02];
    /// id-icao-mrtd-security-aaProtocolObject, 2.23.136.1.1.5.
    pub const ACTIVE_AUTHENTICATION: &[u8] = &[0x67, 0x81, 0x08, 0x01, 0x01, 0x05];
    /// ecdsa-plain-SHA256, 0.4.0.127.0.7.1.1.4.1.3.
    pub const ECDSA_PLAIN_SHA256: &[u8] = &[0x04, 0x00, 0x7F, 0x00, 0x07, 0x01, 0x01, 0x04, 0x01, 0x03];
}

/// One thing that a chip announces.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecurityInfo {
    /// PACEInfo: protocol, version, and the number of standardised domain parameters.
    Pace { protocol: Vec<u8>, version: u8, parameter: Option<u8> },
    /// ChipAuthenticationInfo.
    ChipAuthentication { protocol: Vec<u8>, version: u8, key: Option<u8> },
    /// ChipAuthenticationPublicKeyInfo.
    ChipPublicKey { key: EcPublicKey, id: Option<u8> },
    /// ActiveAuthenticationInfo: the signature's algorithm, which DG15 does not say for elliptic curves.
    ActiveAuthentication { version: u8, algorithm: Vec<u8> },
    /// TerminalAuthenticationInfo.
    TerminalAuthentication { version: u8 },
    /// An info of another protocol.
    Other { protocol: Vec<u8> },
}

impl SecurityInfo {
    fn encode(&self) -> Vec<u8> {
        let oid = |content: &[u8]| tlv::encode(Tag::OID, &[content]);
        let number = |value: u8| tlv::encode(Tag::INTEGER, &[&[value]]);
        let optional = |value: Option<u8>| value.map(number).unwrap_or_default();
        let parts: Vec<Vec<u8>> = match self {
            SecurityInfo::Pace { protocol, version, parameter } => {
                vec![oid(protocol), number(*version), optional(*parameter)]
            }
            SecurityInfo::ChipAuthentication { protocol, version, key } => {
                vec![oid(protocol), number(*version), optional(*key)]
            }
            SecurityInfo::ChipPublicKey { key, id } => {
                vec![oid(oid::CHIP_PUBLIC_KEY_ECDH), key.to_spki(), optional(*id)]
            }
            SecurityInfo::ActiveAuthentication { version, algorithm } => {
                vec![oid(oid::ACTIVE_AUTHENTICATION), number(*version), oid(algorithm)]
            }
            SecurityInfo::TerminalAuthentication { version } => {
                vec![oid(oid::TERMINAL_AUTHENTICATION), number(*version)]
            }
            SecurityInfo::Other { protocol } => vec![oid(protocol)],
        };
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        tlv::encode(Tag::SEQUENCE, &parts)
    }

    fn parse(info: &Tlv<'_>, file: &'static str) -> Result<SecurityInfo, CardError> {
        let mut reader = info.children()?;
        let protocol = reader.expect(Tag::OID, "protocol (OBJECT IDENTIFIER) expected")?.value;
        let small = |number: Tlv<'_>| match number.value {
            &[value @ 0..=0x7F] => Ok(value),
            _ => Err(CardError::File {
                file,
                offset: number.value_offset(),
                problem: "the number must lie between 0 and 127",
            }),
        };
        let version = "version (INTEGER) expected";
        Ok(match protocol {
            oid::TERMINAL_AUTHENTICATION => {
                // An optional reference to EF.CVCA may follow; it says nothing here.
                let version = small(reader.expect(Tag::INTEGER, version)?)?;
                SecurityInfo::TerminalAuthentication { version }
            }
            oid::ACTIVE_AUTHENTICATION => SecurityInfo::ActiveAuthentication {
                version: small(reader.expect(Tag::INTEGER, version)?)?,
                algorithm: reader.expect(Tag::OID, "signature algorithm expected")?.value.to_vec(),
            },
            oid::CHIP_PUBLIC_KEY_ECDH => {
                let spki = reader.expect(Tag::SEQUENCE, "public key (SEQUENCE) expected")?;
                SecurityInfo::ChipPublicKey {
                    key: EcPublicKey::from_spki(&spki, file)?,
                    id: reader.optional(Tag::INTEGER)?.map(small).transpose()?,
                }
            }
            // Two more arcs name the mapping or key agreement and the cipher; without them it is
            // PACEDomainParameterInfo or a key.
            [arc @ .., _, _] if arc == oid::PACE => SecurityInfo::Pace {
                protocol: protocol.to_vec(),
                version: small(reader.expect(Tag::INTEGER, version)?)?,
                parameter: reader.optional(Tag::INTEGER)?.map(small).transpose()?,
            },
            [arc @ .., _] if arc == oid::CHIP_AUTHENTICATION_ECDH => SecurityInfo::ChipAuthentication {
                protocol: protocol.to_vec(),
                version: small(reader.expect(Tag::INTEGER, version)?)?,
                key: reader.optional(Tag::INTEGER)?.map(small).transpose()?,
            },
            _ => return Ok(SecurityInfo::Other { protocol: protocol.to_vec() }),
        })
    }
}

/// A set of infos, each with the bytes in which it stands in its file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SecurityInfos {
    infos: Vec<(SecurityInfo, Vec<u8>)>,
}

impl SecurityInfos {
    /// Puts the entries into the order in which they are encoded.
    pub fn new(infos: impl IntoIterator<Item = SecurityInfo>) -> SecurityInfos {
        let mut infos: Vec<_> = infos.into_iter().map(|info| (info.clone(), info.encode())).collect();
        // The elements of a SET OF stand in ascending order of their encodings (ITU-T X.690 §11.6).
        infos.sort_by(|(_, a), (_, b)| a.cmp(b));
        SecurityInfos { infos }
    }

    /// In the order of the encoding.
    pub fn iter(&self) -> impl Iterator<Item = &SecurityInfo> {
        self.infos.iter().map(|(info, _)| info)
    }

    /// Whether every info of `other` is here too, byte for byte.
    pub fn contains_all(&self, other: &SecurityInfos) -> bool {
        other.infos.iter().all(|(_, raw)| self.infos.iter().any(|(_, own)| own == raw))
    }

    /// The SET OF SecurityInfo.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let parts: Vec<&[u8]> = self.infos.iter().map(|(_, raw)| raw.as_slice()).collect();
        tlv::encode(Tag::SET, &parts)
    }

    pub(crate) fn parse(set: &Tlv<'_>, file: &'static str) -> Result<SecurityInfos, CardError> {
        let mut infos = Vec::new();
        let mut reader = set.children()?;
        while !reader.is_empty() {
            let info = reader.expect(Tag::SEQUENCE, "SecurityInfo (SEQUENCE) expected")?;
            if infos.len() == MOST_INFOS {
                let problem = "more security infos than a chip can have";
                return Err(CardError::File { file, offset: info.offset, problem });
            }
            infos.push((SecurityInfo::parse(&info, file)?, info.raw.to_vec()));
        }
        Ok(SecurityInfos { infos })
    }
}
