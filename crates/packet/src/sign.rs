//! COSE_Sign (RFC 9052 §4.1) as a packet uses it: two signatures over the same bytes, the kit's and then the
//! officer's, ES256, tagged, nothing unprotected, a context bound in.

use coset::cbor::Value;
use coset::{
    AsCborValue, CborSerializable, CoseSign, CoseSignBuilder, CoseSignatureBuilder, Header, HeaderBuilder,
    RegisteredLabelWithPrivate, iana,
};
use uuid::Uuid;

use crate::keys::{PublicKey, raw_signature};
use crate::{FORMAT_VERSION, PacketError, cbor};

const TAG: u64 = iana::CborTag::CoseSign as u64;
/// Packets of the versions 1 and 2, which no officer signed, were COSE_Sign1.
const TAG_BEFORE: u64 = iana::CborTag::CoseSign1 as u64;
/// Signed over and not transmitted, so that a message of one kind cannot pass for another.
const CONTEXT: &[u8] = b"dancu packet 3";
const WHAT: &str = "the packet";

/// Whoever signs, and under which id.
pub(crate) struct Party<'a> {
    pub id: Uuid,
    pub signer: &'a dyn pki::Signer,
}

/// A packet whose signatures have not been checked yet.
pub(crate) struct Unverified {
    message: CoseSign,
}

/// Signs `payload` under the protected header `header`: the kit first, then the officer.
pub(crate) fn sign(
    header: Header,
    payload: Vec<u8>,
    parties: [Party<'_>; 2],
) -> Result<Vec<u8>, PacketError> {
    let mut message = CoseSignBuilder::new().protected(header).payload(payload);
    for party in parties {
        let own = CoseSignatureBuilder::new().protected(own_header(party.id)).build();
        message = message.try_add_created_signature(own, CONTEXT, |message| {
            let der = party.signer.sign(message).map_err(|error| PacketError::Signer(error.to_string()))?;
            raw_signature(&der)
                .ok_or_else(|| PacketError::Signer("the signature is not ECDSA on P-256".to_owned()))
        })?;
    }
    let body = message.build().to_cbor_value();
    let body = body.map_err(|_| structure("cannot be written as CBOR"))?;
    Ok(cbor::encode(&Value::Tag(TAG, Box::new(body))))
}

fn own_header(id: Uuid) -> Header {
    HeaderBuilder::new().algorithm(iana::Algorithm::ES256).key_id(id.as_bytes().to_vec()).build()
}

/// Reads the outer structure; the signatures are checked by [`Unverified::verify`].
pub(crate) fn parse(bytes: &[u8], limit: usize) -> Result<Unverified, PacketError> {
    if bytes.len() > limit {
        return Err(PacketError::TooLarge { what: WHAT, bytes: bytes.len(), limit });
    }
    let body = match cbor::decode(WHAT, bytes)? {
        Value::Tag(TAG, body) => body,
        Value::Tag(TAG_BEFORE, _) => {
            return Err(PacketError::Version { what: WHAT, found: 1, known: FORMAT_VERSION });
        }
        _ => return Err(structure("is not a tagged COSE_Sign")),
    };
    let message = CoseSign::from_cbor_value(*body).map_err(|_| structure("is not a COSE_Sign"))?;
    let is_bare = message.unprotected.is_empty()
        && message.signatures.iter().all(|signature| signature.unprotected.is_empty());
    if !is_bare {
        return Err(structure("has unprotected headers"));
    }
    if message.payload.is_none() {
        return Err(structure("has no payload"));
    }
    if message.signatures.len() != 2 {
        return Err(structure("has not two signatures, the kit's and the officer's"));
    }
    Ok(Unverified { message })
}

impl Unverified {
    pub(crate) fn header(&self) -> &Header {
        &self.message.protected.header
    }

    /// The protected header's bytes as they came.
    pub(crate) fn header_bytes(&self) -> Vec<u8> {
        match &self.message.protected.original_data {
            Some(bytes) => bytes.clone(),
            None => self.header().clone().to_vec().unwrap_or_default(),
        }
    }

    pub(crate) fn payload(&self) -> &[u8] {
        self.message.payload.as_deref().unwrap_or_default()
    }

    /// Whether the signatures say that they are by these two, in this order.
    pub(crate) fn check_signers(&self, ids: [Uuid; 2]) -> Result<(), PacketError> {
        for (signature, id) in self.message.signatures.iter().zip(ids) {
            let header = &signature.protected.header;
            if header.alg != Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES256)) {
                return Err(PacketError::Algorithm { what: WHAT, expected: "ES256" });
            }
            if *header != own_header(id) {
                return Err(structure("is signed by others than its envelope names"));
            }
        }
        Ok(())
    }

    pub(crate) fn verify(&self, kit: &PublicKey, officer: &PublicKey) -> Result<(), PacketError> {
        for (which, (key, what)) in
            [(kit, WHAT), (officer, "the officer's part of the packet")].iter().enumerate()
        {
            self.message.verify_signature(which, CONTEXT, |signature, message| {
                if key.verifies(message, signature) {
                    Ok(())
                } else {
                    Err(PacketError::BadSignature { what })
                }
            })?;
        }
        Ok(())
    }
}

const fn structure(problem: &'static str) -> PacketError {
    PacketError::Structure { what: WHAT, problem }
}
