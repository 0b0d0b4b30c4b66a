//! Keys that live in the test, one kind for each algorithm.

#![allow(clippy::unwrap_used, dead_code, reason = "in a test a panic is the report; not every test uses all")]

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use bp256::BrainpoolP256r1;
use ecdsa::signature::Signer as _;
use rand::{Rng, SeedableRng};

use pki::*;

pub enum Secret {
    Nist(EcdsaKeyPair),
    Brainpool(ecdsa::SigningKey<BrainpoolP256r1>),
}

pub struct Key {
    algorithm: SignatureAlgorithm,
    secret: Secret,
    public: Vec<u8>,
}

impl Key {
    /// Keys of the NIST curves are drawn anew each time; the seed distinguishes those of brainpoolP256r1.
    pub fn of(algorithm: SignatureAlgorithm, seed: u64) -> Key {
        let secret = match algorithm.curve() {
            Curve::P256 => Secret::Nist(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap()),
            Curve::P384 => Secret::Nist(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).unwrap()),
            _ => {
                let mut bytes = [0; 32];
                rand_chacha::ChaCha20Rng::seed_from_u64(seed).fill_bytes(&mut bytes);
                bytes[0] &= 0x7F;
                Secret::Brainpool(ecdsa::SigningKey::from_slice(&bytes).unwrap())
            }
        };
        let point = match &secret {
            Secret::Nist(pair) => pair.public_key().as_ref().to_vec(),
            Secret::Brainpool(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
        };
        let public = PublicKey::Ec { curve: algorithm.curve(), point }.to_spki(ParameterForm::Named);
        Key { algorithm, secret, public }
    }
}

impl Signer for Key {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    fn public_key(&self) -> &[u8] {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(match &self.secret {
            Secret::Nist(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Secret::Brainpool(key) => {
                let signature: ecdsa::Signature<BrainpoolP256r1> = key.sign(message);
                signature.to_der().as_bytes().to_vec()
            }
        })
    }
}

pub fn serial(number: u8) -> SerialNumber {
    SerialNumber::new(&[number]).unwrap()
}

pub fn token(number: u8) -> SigningToken {
    SigningToken::after_recording(serial(number))
}
