//! Key agreement on a curve, byte by byte outside and in the curve's own types inside.

use p256::elliptic_curve::{
    AffinePoint, CurveArithmetic, CurveGroup, FieldBytes, FieldBytesSize, Group, NonZeroScalar,
    ProjectivePoint, PublicKey, Scalar,
    sec1::{FromSec1Point, ModulusSize, ToSec1Point},
};
use rand::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use card::ec_key::{Curve, EcPublicKey};

/// An uncompressed point.
pub(crate) type Point = [u8; Curve::POINT_LEN];

/// A private number with its public point over some generator of the curve.
pub(crate) struct KeyPair {
    curve: Curve,
    secret: Zeroizing<[u8; Curve::FIELD_LEN]>,
    public: EcPublicKey,
}

impl KeyPair {
    pub(crate) fn generate(curve: Curve, rng: &mut impl CryptoRng) -> KeyPair {
        Self::generate_over(curve, None, rng)
    }

    /// Over another generator than the curve's own, as PACE maps it.
    pub(crate) fn generate_over(
        curve: Curve,
        generator: Option<&Point>,
        rng: &mut impl CryptoRng,
    ) -> KeyPair {
        loop {
            let mut secret = Zeroizing::new([0; Curve::FIELD_LEN]);
            rng.fill_bytes(secret.as_mut_slice());
            // A number outside the group's order is drawn again, so that every one is equally likely.
            if let Some(pair) = Self::over(curve, generator, secret) {
                return pair;
            }
        }
    }

    /// `None` for zero and for what is not below the group's order.
    pub(crate) fn from_secret(curve: Curve, secret: Zeroizing<[u8; Curve::FIELD_LEN]>) -> Option<KeyPair> {
        Self::over(curve, None, secret)
    }

    fn over(
        curve: Curve,
        generator: Option<&Point>,
        secret: Zeroizing<[u8; Curve::FIELD_LEN]>,
    ) -> Option<KeyPair> {
        let point = match curve {
            Curve::P256 => multiply::<p256::NistP256>(&secret, generator),
            Curve::BrainpoolP256r1 => multiply::<bp256::BrainpoolP256r1>(&secret, generator),
        }?;
        let public = EcPublicKey::new(curve, &point)?;
        Some(KeyPair { curve, secret, public })
    }

    pub(crate) fn public(&self) -> &EcPublicKey {
        &self.public
    }

    pub(crate) fn secret(&self) -> &[u8; Curve::FIELD_LEN] {
        &self.secret
    }

    /// The common point; `None` if `other` is no point of the curve other than the one at infinity.
    pub(crate) fn agree(&self, other: &Point) -> Option<Zeroizing<Point>> {
        let point = match self.curve {
            Curve::P256 => multiply::<p256::NistP256>(&self.secret, Some(other)),
            Curve::BrainpoolP256r1 => multiply::<bp256::BrainpoolP256r1>(&self.secret, Some(other)),
        };
        point.map(Zeroizing::new)
    }
}

/// The x coordinate, which is the shared secret of ECDH.
pub(crate) fn x(point: &Point) -> &[u8] {
    x_of(point)
}

/// The same with its length, as it stands for a public key in Terminal Authentication (Doc 9303-11
/// §7.1.4.2.3).
pub(crate) fn x_of(point: &Point) -> &[u8; Curve::FIELD_LEN] {
    point[1..].first_chunk().expect("a point has two coordinates")
}

/// Generic mapping (Doc 9303-11 §4.4.3.3.1): nonce · G + common point.
pub(crate) fn map_generator(curve: Curve, nonce: &[u8; 16], common: &Point) -> Option<Point> {
    let mut number = Zeroizing::new([0; Curve::FIELD_LEN]);
    number[16..].copy_from_slice(nonce);
    match curve {
        Curve::P256 => add::<p256::NistP256>(&number, common),
        Curve::BrainpoolP256r1 => add::<bp256::BrainpoolP256r1>(&number, common),
    }
}

fn multiply<C>(secret: &[u8; Curve::FIELD_LEN], point: Option<&Point>) -> Option<Point>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    let mut scalar = scalar::<C>(secret)?;
    let base = match point {
        Some(point) => PublicKey::<C>::from_sec1_bytes(point).ok()?.to_projective(),
        None => ProjectivePoint::<C>::generator(),
    };
    let product = base * *scalar;
    scalar.zeroize();
    encode::<C>(product)
}

fn add<C>(number: &[u8; Curve::FIELD_LEN], common: &Point) -> Option<Point>
where
    C: CurveArithmetic,
    AffinePoint<C>: FromSec1Point<C> + ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    let common = PublicKey::<C>::from_sec1_bytes(common).ok()?.to_projective();
    // A nonce of zero is allowed: the mapped generator is then the common point.
    let nonce = scalar::<C>(number).map_or_else(ProjectivePoint::<C>::identity, |nonce| {
        let nonce: Scalar<C> = *nonce;
        ProjectivePoint::<C>::generator() * nonce
    });
    encode::<C>(nonce + common)
}

fn scalar<C: CurveArithmetic>(bytes: &[u8; Curve::FIELD_LEN]) -> Option<NonZeroScalar<C>> {
    let bytes = FieldBytes::<C>::try_from(bytes.as_slice()).ok()?;
    NonZeroScalar::<C>::from_repr(bytes).into_option()
}

fn encode<C>(point: ProjectivePoint<C>) -> Option<Point>
where
    C: CurveArithmetic,
    AffinePoint<C>: ToSec1Point<C>,
    FieldBytesSize<C>: ModulusSize,
{
    // The point at infinity has another length and gives nothing.
    point.to_affine().to_sec1_point(false).as_bytes().try_into().ok()
}
