//! What a process without keys asks of the process that holds them, over a socket of this machine: a photo,
//! and the answers to kits.
//!
//! One request and one answer a connection, each in a frame: its length in four bytes, most significant
//! first, then that many bytes of CBOR. Neither side trusts the other's length.

use coset::cbor::Value;

use crate::PacketError;
use crate::cbor::{self, Items, uuid_value};
use crate::wire::MAX_BATCH_BYTES;
use domain::id::ApplicationId;

const VERSION: u16 = 1;
const REQUEST: &str = "the request to the key holder";
const ANSWER: &str = "the key holder's answer";
const FRAME: &str = "a frame";
/// A session's token is 64 hexadecimal digits; longer ones are nobody's.
const MAX_TOKEN_BYTES: usize = 128;
/// A kit's receipt is the longest part of an answer.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// What stands around the longest part of a message.
const AROUND_BYTES: usize = 1024;
/// The longest request: a full batch of packets.
pub const MAX_REQUEST_BYTES: usize = MAX_BATCH_BYTES + AROUND_BYTES;
/// The longest answer.
pub const MAX_ANSWER_BYTES: usize = MAX_BODY_BYTES + AROUND_BYTES;

/// The page on which a photo is wanted: why it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// A card's page, which anybody of its unit may read.
    Card,
    /// A case's, which adjudicators read.
    Case,
}

impl Page {
    /// Every page that shows a photo.
    pub const ALL: [Page; 2] = [Page::Card, Page::Case];

    /// Stable code, as the audit trail has it.
    pub const fn code(self) -> &'static str {
        match self {
            Page::Card => "card",
            Page::Case => "case",
        }
    }

    /// The page of a code.
    pub fn from_code(code: &str) -> Option<Page> {
        Self::ALL.into_iter().find(|page| page.code() == code)
    }
}

/// What is asked.
#[derive(Clone, PartialEq, Eq)]
pub enum Request {
    /// The photo of an application.
    Photo {
        /// The token of the session in which it is asked: whoever only reads the database has none.
        session: String,
        /// Whose.
        application: ApplicationId,
        /// Why.
        page: Page,
    },
    /// A kit's batch of sealed packets, as it came.
    Packets(Vec<u8>),
    /// A kit's day report, as it came.
    DayReport(Vec<u8>),
    /// A kit's question what the centre has of its packets, as it came.
    KitStatus(Vec<u8>),
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Request::Photo { application, page, .. } => f
                .debug_struct("Photo")
                .field("application", application)
                .field("page", page)
                .finish_non_exhaustive(),
            Request::Packets(body) => f.debug_tuple("Packets").field(&body.len()).finish(),
            Request::DayReport(body) => f.debug_tuple("DayReport").field(&body.len()).finish(),
            Request::KitStatus(body) => f.debug_tuple("KitStatus").field(&body.len()).finish(),
        }
    }
}

/// What is answered.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// A JPEG.
    Photo(Vec<u8>),
    /// There is no photo, or it cannot be opened.
    NoPhoto,
    /// The session has ended, or its account may not see this.
    Refused,
    /// What the kit is answered.
    Kit {
        /// HTTP status.
        status: u16,
        /// The signed receipt, or a sentence.
        body: Vec<u8>,
        /// How many messages had to be refused.
        refused: u32,
    },
    /// Something failed; the same request may succeed later.
    Failed,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Answer::Photo(jpeg) => f.debug_tuple("Photo").field(&jpeg.len()).finish(),
            Answer::NoPhoto => f.write_str("NoPhoto"),
            Answer::Refused => f.write_str("Refused"),
            Answer::Kit { status, .. } => {
                f.debug_struct("Kit").field("status", status).finish_non_exhaustive()
            }
            Answer::Failed => f.write_str("Failed"),
        }
    }
}

impl Request {
    /// As the body of a frame.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, rest) = match self {
            Request::Photo { session, application, page } => {
                let rest = vec![
                    Value::Text(session.clone()),
                    uuid_value(application.uuid()),
                    Value::Text(page.code().to_owned()),
                ];
                ("photo", rest)
            }
            Request::Packets(body) => ("packets", vec![cbor::bytes(body)]),
            Request::DayReport(body) => ("day_report", vec![cbor::bytes(body)]),
            Request::KitStatus(body) => ("kit_status", vec![cbor::bytes(body)]),
        };
        encode(kind, rest)
    }

    /// Reads the body of a frame.
    ///
    /// # Errors
    /// What is wrong, and at which byte where it is known; another version.
    pub fn decode(bytes: &[u8]) -> Result<Request, PacketError> {
        let (kind, mut rest) = decode(REQUEST, bytes, MAX_REQUEST_BYTES, &[1, 3])?;
        match (kind.as_str(), rest.length) {
            ("photo", 3) => {
                let session = rest.items.text(MAX_TOKEN_BYTES)?;
                let application = ApplicationId::from_uuid(uuid::Uuid::from_bytes(rest.items.bytes()?));
                let page = Page::from_code(&rest.items.text(16)?);
                let page = page.ok_or(PacketError::Structure {
                    what: REQUEST,
                    problem: "names a page that there is not",
                })?;
                Ok(Request::Photo { session, application, page })
            }
            ("packets", 1) => Ok(Request::Packets(rest.items.byte_string(MAX_BATCH_BYTES)?)),
            ("day_report", 1) => Ok(Request::DayReport(rest.items.byte_string(MAX_BATCH_BYTES)?)),
            ("kit_status", 1) => Ok(Request::KitStatus(rest.items.byte_string(MAX_BATCH_BYTES)?)),
            _ => Err(PacketError::Structure { what: REQUEST, problem: "is of a kind that there is not" }),
        }
    }
}

impl Answer {
    /// As the body of a frame.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, rest) = match self {
            Answer::Photo(jpeg) => ("photo", vec![cbor::bytes(jpeg)]),
            Answer::NoPhoto => ("no_photo", vec![Value::Null]),
            Answer::Refused => ("refused", vec![Value::Null]),
            Answer::Failed => ("failed", vec![Value::Null]),
            Answer::Kit { status, body, refused } => {
                let number = |number: u32| Value::Integer(number.into());
                ("kit", vec![number((*status).into()), cbor::bytes(body), number(*refused)])
            }
        };
        encode(kind, rest)
    }

    /// Reads the body of a frame.
    ///
    /// # Errors
    /// What is wrong, and at which byte where it is known; another version.
    pub fn decode(bytes: &[u8]) -> Result<Answer, PacketError> {
        let (kind, mut rest) = decode(ANSWER, bytes, MAX_ANSWER_BYTES, &[1, 3])?;
        let nothing = |answer: Answer, value: Value| match value {
            Value::Null => Ok(answer),
            _ => {
                Err(PacketError::Structure { what: ANSWER, problem: "holds something where nothing belongs" })
            }
        };
        match (kind.as_str(), rest.length) {
            ("photo", 1) => Ok(Answer::Photo(rest.items.byte_string(MAX_BODY_BYTES)?)),
            ("no_photo", 1) => nothing(Answer::NoPhoto, rest.items.value()),
            ("refused", 1) => nothing(Answer::Refused, rest.items.value()),
            ("failed", 1) => nothing(Answer::Failed, rest.items.value()),
            ("kit", 3) => Ok(Answer::Kit {
                status: rest.items.integer()?,
                body: rest.items.byte_string(MAX_BODY_BYTES)?,
                refused: rest.items.integer()?,
            }),
            _ => Err(PacketError::Structure { what: ANSWER, problem: "is of a kind that there is not" }),
        }
    }
}

/// A message behind its length.
///
/// # Errors
/// [`PacketError::TooLarge`].
pub fn frame(message: &[u8], limit: usize) -> Result<Vec<u8>, PacketError> {
    let length = u32::try_from(message.len()).ok().filter(|_| message.len() <= limit);
    let length = length.ok_or(PacketError::TooLarge { what: FRAME, bytes: message.len(), limit })?;
    Ok([&length.to_be_bytes()[..], message].concat())
}

/// How many bytes follow a frame's first four, if they are not too many.
///
/// # Errors
/// [`PacketError::TooLarge`].
pub fn frame_length(first: [u8; 4], limit: usize) -> Result<usize, PacketError> {
    let bytes = u32::from_be_bytes(first) as usize;
    if bytes > limit { Err(PacketError::TooLarge { what: FRAME, bytes, limit }) } else { Ok(bytes) }
}

/// The parts of a message behind its kind.
struct Rest {
    items: Items,
    length: usize,
}

fn encode(kind: &str, rest: Vec<Value>) -> Vec<u8> {
    let parts = vec![Value::Integer(VERSION.into()), Value::Text(kind.to_owned()), Value::Array(rest)];
    cbor::encode(&Value::Array(parts))
}

fn decode(
    what: &'static str,
    bytes: &[u8],
    limit: usize,
    lengths: &[usize],
) -> Result<(String, Rest), PacketError> {
    if bytes.len() > limit {
        return Err(PacketError::TooLarge { what, bytes: bytes.len(), limit });
    }
    let mut items = Items::of(what, cbor::decode(what, bytes)?, 3)?;
    items.version(VERSION)?;
    let kind = items.text(16)?;
    let (items, length) = Items::one_of(what, items.value(), lengths)?;
    Ok((kind, Rest { items, length }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn requests() -> impl Strategy<Value = Request> {
        let photo = ("[0-9a-f]{0,64}", any::<[u8; 16]>(), any::<bool>()).prop_map(|(session, id, card)| {
            let application = ApplicationId::from_uuid(uuid::Uuid::from_bytes(id));
            Request::Photo { session, application, page: if card { Page::Card } else { Page::Case } }
        });
        prop_oneof![
            photo,
            any::<Vec<u8>>().prop_map(Request::Packets),
            any::<Vec<u8>>().prop_map(Request::DayReport),
            any::<Vec<u8>>().prop_map(Request::KitStatus)
        ]
    }

    fn answers() -> impl Strategy<Value = Answer> {
        let kit = (any::<u16>(), any::<Vec<u8>>(), any::<u32>())
            .prop_map(|(status, body, refused)| Answer::Kit { status, body, refused });
        let fixed = prop_oneof![Just(Answer::NoPhoto), Just(Answer::Refused), Just(Answer::Failed)];
        prop_oneof![any::<Vec<u8>>().prop_map(Answer::Photo), fixed, kit]
    }

    proptest! {
        #[test]
        fn requests_round_trip(request in requests()) {
            prop_assert_eq!(Request::decode(&request.encode()), Ok(request));
        }

        #[test]
        fn answers_round_trip(answer in answers()) {
            prop_assert_eq!(Answer::decode(&answer.encode()), Ok(answer));
        }

        #[test]
        fn damaged_messages_are_refused_or_mean_something_else(
            request in requests(), at: prop::sample::Index, bit in 0u8..8,
        ) {
            let mut bytes = request.encode();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert_ne!(Request::decode(&bytes), Ok(request));
        }

        #[test]
        fn random_bytes_never_panic(bytes: Vec<u8>) {
            let _ = Request::decode(&bytes);
            let _ = Answer::decode(&bytes);
        }
    }

    #[test]
    fn a_frame_has_a_limit_on_both_sides() {
        let framed = frame(b"four", 4).unwrap();
        assert_eq!(framed, b"\0\0\0\x04four");
        assert_eq!(frame_length([0, 0, 0, 4], 4), Ok(4));
        assert!(frame(b"five!", 4).is_err() && frame_length([0, 0, 0, 5], 4).is_err());
        assert!(frame_length([0xFF; 4], MAX_REQUEST_BYTES).is_err());
    }

    #[test]
    fn another_version_and_another_kind_are_told_apart() {
        let other = |version: u16, kind: &str| {
            let parts = vec![
                Value::Integer(version.into()),
                Value::Text(kind.to_owned()),
                Value::Array(vec![Value::Null]),
            ];
            cbor::encode(&Value::Array(parts))
        };
        assert!(matches!(Answer::decode(&other(2, "refused")), Err(PacketError::Version { found: 2, .. })));
        assert!(matches!(Answer::decode(&other(1, "sign")), Err(PacketError::Structure { .. })));
        assert_eq!(Answer::decode(&other(1, "refused")), Ok(Answer::Refused));
    }

    #[test]
    fn neither_a_token_nor_a_photo_is_shown() {
        let request = Request::Photo {
            session: "5ec2e7".to_owned(),
            application: ApplicationId::from_uuid(uuid::Uuid::nil()),
            page: Page::Card,
        };
        assert!(!format!("{request:?}").contains("5ec2e7"));
        assert_eq!(format!("{:?}", Answer::Photo(vec![7, 7])), "Photo(2)");
    }
}
