//! COSE_Sign1 (RFC 9052 §4.2) as receipts, day reports and kits' questions use it: ES256, tagged, nothing
//! unprotected, a context bound in.

use coset::cbor::Value;
use coset::{AsCborValue, CoseSign1, CoseSign1Builder, Header, RegisteredLabelWithPrivate, iana};
use uuid::Uuid;

use crate::PacketError;
use crate::cbor;
use crate::keys::{PublicKey, raw_signature};
use domain::id::KitId;

const TAG: u64 = iana::CborTag::CoseSign1 as u64;

/// What a signature is for. It is signed over and not transmitted, so that a message of one kind cannot pass
/// for another.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Context {
    Receipt,
    DayReport,
    KitStatus,
}

impl Context {
    const fn aad(self) -> &'static [u8] {
        match self {
            Context::Receipt => b"dancu receipt 2",
            Context::DayReport => b"dancu day report 1",
            Context::KitStatus => b"dancu kit status 1",
        }
    }

    const fn what(self) -> &'static str {
        match self {
            Context::Receipt => "the receipt",
            Context::DayReport => "the day report",
            Context::KitStatus => "the kit's status",
        }
    }
}

/// A message whose signature has not been checked yet.
pub(crate) struct Unverified {
    context: Context,
    message: CoseSign1,
}

/// Signs `payload` under the protected header `header`, to which the algorithm is added.
pub(crate) fn sign(
    context: Context,
    mut header: Header,
    payload: Vec<u8>,
    signer: &dyn pki::Signer,
) -> Result<Vec<u8>, PacketError> {
    header.alg = Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES256));
    let message = CoseSign1Builder::new()
        .protected(header)
        .payload(payload)
        .try_create_signature(context.aad(), |message| {
            let der = signer.sign(message).map_err(|error| PacketError::Signer(error.to_string()))?;
            raw_signature(&der)
                .ok_or_else(|| PacketError::Signer("the signature is not ECDSA on P-256".to_owned()))
        })?
        .build();
    let body = message
        .to_cbor_value()
        .map_err(|_| PacketError::Structure { what: context.what(), problem: "cannot be written as CBOR" })?;
    Ok(cbor::encode(&Value::Tag(TAG, Box::new(body))))
}

/// Reads the outer structure; the signature is checked by [`Unverified::verify`].
pub(crate) fn parse(context: Context, bytes: &[u8], limit: usize) -> Result<Unverified, PacketError> {
    let what = context.what();
    if bytes.len() > limit {
        return Err(PacketError::TooLarge { what, bytes: bytes.len(), limit });
    }
    let Value::Tag(TAG, body) = cbor::decode(what, bytes)? else {
        return Err(PacketError::Structure { what, problem: "is not a tagged COSE_Sign1" });
    };
    let message = CoseSign1::from_cbor_value(*body)
        .map_err(|_| PacketError::Structure { what, problem: "is not a COSE_Sign1" })?;
    if message.protected.header.alg != Some(RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES256)) {
        return Err(PacketError::Algorithm { what, expected: "ES256" });
    }
    if !message.unprotected.is_empty() {
        return Err(PacketError::Structure { what, problem: "has unprotected headers" });
    }
    if message.payload.is_none() {
        return Err(PacketError::Structure { what, problem: "has no payload" });
    }
    Ok(Unverified { context, message })
}

impl Unverified {
    /// The kit that says to have signed it.
    pub(crate) fn kit_id(&self) -> Result<KitId, PacketError> {
        Uuid::from_slice(&self.message.protected.header.key_id).map(KitId::from_uuid).map_err(|_| {
            PacketError::Structure { what: self.context.what(), problem: "has no kit id of 16 bytes" }
        })
    }

    pub(crate) fn payload(&self) -> &[u8] {
        self.message.payload.as_deref().unwrap_or_default()
    }

    pub(crate) fn verify(&self, key: &PublicKey) -> Result<(), PacketError> {
        self.message.verify_signature(self.context.aad(), |signature, message| {
            if key.verifies(message, signature) {
                Ok(())
            } else {
                Err(PacketError::BadSignature { what: self.context.what() })
            }
        })
    }
}
