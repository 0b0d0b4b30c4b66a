//! Public keys on elliptic curves as SubjectPublicKeyInfo (RFC 5480, BSI TR-03111), in the three ways in
//! which chips name a curve: by an object identifier, by a number from the table of Doc 9303-11 §9.5.1, or by
//! all its parameters.

use crate::{
    CardError,
    tlv::{self, Reader, Tag, Tlv},
};

const ID_EC_PUBLIC_KEY: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01];
const ID_PRIME_FIELD: &[u8] = &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x01, 0x01];
/// standardizedDomainParameters, 0.4.0.127.0.7.1.2.
const ID_STANDARDIZED: &[u8] = &[0x04, 0x00, 0x7F, 0x00, 0x07, 0x01, 0x02];

const BIT_STRING: Tag = Tag(0x03);

/// The curves of 256 bits that chips use here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// NIST P-256, number 12 in the table of standardised domain parameters.
    P256,
    /// brainpoolP256r1, number 13.
    BrainpoolP256r1,
}

/// Prime, coefficients, generator and order of a curve, big-endian.
struct Parameters {
    p: [u8; 32],
    a: [u8; 32],
    b: [u8; 32],
    x: [u8; 32],
    y: [u8; 32],
    n: [u8; 32],
}

impl Curve {
    /// Bytes of a coordinate and of a scalar.
    pub const FIELD_LEN: usize = 32;
    /// Bytes of an uncompressed point.
    pub const POINT_LEN: usize = 1 + 2 * Self::FIELD_LEN;

    const ALL: [Curve; 2] = [Curve::P256, Curve::BrainpoolP256r1];

    /// The number among the standardised domain parameters (Doc 9303-11, table "Standardized Domain
    /// Parameters").
    pub fn number(self) -> u8 {
        match self {
            Curve::P256 => 12,
            Curve::BrainpoolP256r1 => 13,
        }
    }

    fn oid(self) -> &'static [u8] {
        match self {
            Curve::P256 => &[0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07],
            Curve::BrainpoolP256r1 => &[0x2B, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x07],
        }
    }

    /// SEC 2 §2.4.2 and RFC 5639 §3.4.
    fn parameters(self) -> Parameters {
        let [p, a, b, x, y, n] = match self {
            Curve::P256 => [
                "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff",
                "ffffffff00000001000000000000000000000000fffffffffffffffffffffffc",
                "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b",
                "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
                "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
                "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",
            ],
            Curve::BrainpoolP256r1 => [
                "a9fb57dba1eea9bc3e660a909d838d726e3bf623d52620282013481d1f6e5377",
                "7d5a0975fc2c3057eef67530417affe7fb8055c126dc5c6ce94a4b44f330b5d9",
                "26dc5c6ce94a4b44f330b5d9bbd77cbf958416295cf7e1ce6bccdc18ff8c07b6",
                "8bd2aeb9cb7e57cb2c4b482ffc81b7afb9de27e1e3bd23c23a4453bd9ace3262",
                "547ef835c3dac4fd97f8461a14611dc9c27745132ded8e545c1d54c72f046997",
                "a9fb57dba1eea9bc3e660a909d838d718c397aa3b561a6f7901e0e82974856a7",
            ],
        }
        .map(number);
        Parameters { p, a, b, x, y, n }
    }
}

fn number(hex: &str) -> [u8; 32] {
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(hex.as_bytes().chunks(2)) {
        let digit = |c: u8| char::from(c).to_digit(16).expect("the table holds hexadecimal digits") as u8;
        *byte = digit(pair[0]) << 4 | digit(pair[1]);
    }
    out
}

/// A public key: a curve and an uncompressed point, of which nobody has checked here that it lies on the
/// curve.
#[derive(Clone, PartialEq, Eq)]
pub struct EcPublicKey {
    curve: Curve,
    point: [u8; Curve::POINT_LEN],
}

impl std::fmt::Debug for EcPublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EcPublicKey({:?})", self.curve)
    }
}

impl EcPublicKey {
    /// `None` if the point is not in the uncompressed form of 65 bytes.
    pub fn new(curve: Curve, point: &[u8]) -> Option<EcPublicKey> {
        let point: [u8; Curve::POINT_LEN] = point.try_into().ok()?;
        (point[0] == 0x04).then_some(EcPublicKey { curve, point })
    }

    /// The domain parameters that the point belongs to.
    pub fn curve(&self) -> Curve {
        self.curve
    }

    /// 04, x, y.
    pub fn point(&self) -> &[u8; Curve::POINT_LEN] {
        &self.point
    }

    /// SubjectPublicKeyInfo with the curve named by its object identifier, which is what most readers
    /// understand.
    pub fn to_spki(&self) -> Vec<u8> {
        let algorithm = tlv::encode(
            Tag::SEQUENCE,
            &[&tlv::encode(Tag::OID, &[ID_EC_PUBLIC_KEY]), &tlv::encode(Tag::OID, &[self.curve.oid()])],
        );
        tlv::encode(Tag::SEQUENCE, &[&algorithm, &tlv::encode(BIT_STRING, &[&[0x00], &self.point])])
    }

    /// Reads a SubjectPublicKeyInfo that stands somewhere in `file`; the name is for errors.
    pub(crate) fn from_spki(spki: &Tlv<'_>, file: &'static str) -> Result<EcPublicKey, CardError> {
        let error = |offset, problem| CardError::File { file, offset, problem };
        let mut reader = spki.children()?;
        let algorithm = reader.expect(Tag::SEQUENCE, "key algorithm (SEQUENCE) expected")?;
        let bits = reader.expect(BIT_STRING, "public key (BIT STRING) expected")?;
        reader.finish()?;
        let mut reader = algorithm.children()?;
        let oid = reader.expect(Tag::OID, "key algorithm (OBJECT IDENTIFIER) expected")?;
        let Some(parameters) = reader.read()? else {
            return Err(error(oid.offset, "the key's domain parameters are missing"));
        };
        reader.finish()?;
        let curve = match (oid.value, parameters.tag) {
            (ID_EC_PUBLIC_KEY, Tag::OID) => Curve::ALL.into_iter().find(|c| c.oid() == parameters.value),
            (ID_EC_PUBLIC_KEY, Tag::SEQUENCE) => explicit(&parameters)?,
            (ID_STANDARDIZED, Tag::INTEGER) => {
                Curve::ALL.into_iter().find(|c| parameters.value == [c.number()])
            }
            _ => return Err(error(oid.offset, "not a key on an elliptic curve")),
        };
        let Some(curve) = curve else {
            return Err(error(parameters.offset, "the curve is neither P-256 nor brainpoolP256r1"));
        };
        let point = bits.value.strip_prefix(&[0x00]).and_then(|point| EcPublicKey::new(curve, point));
        point.ok_or_else(|| error(bits.offset, "the public key is not an uncompressed point of 65 bytes"))
    }
}

/// ECParameters with all numbers (RFC 3279 §2.3.5). Every one must be the known curve's: a changed generator
/// would let a forger choose the private key.
fn explicit(parameters: &Tlv<'_>) -> Result<Option<Curve>, CardError> {
    let mut reader = parameters.children()?;
    reader.expect(Tag::INTEGER, "version of the curve parameters (INTEGER) expected")?;
    let field = reader.expect(Tag::SEQUENCE, "field of the curve (SEQUENCE) expected")?;
    let curve = reader.expect(Tag::SEQUENCE, "coefficients of the curve (SEQUENCE) expected")?;
    let base = reader.expect(Tag::OCTET_STRING, "base point (OCTET STRING) expected")?;
    let order = reader.expect(Tag::INTEGER, "order (INTEGER) expected")?;
    let cofactor = reader.optional(Tag::INTEGER)?;
    reader.finish()?;
    let mut reader = field.children()?;
    let kind = reader.expect(Tag::OID, "kind of field (OBJECT IDENTIFIER) expected")?;
    if kind.value != ID_PRIME_FIELD {
        return Ok(None);
    }
    let prime = reader.expect(Tag::INTEGER, "prime (INTEGER) expected")?;
    reader.finish()?;
    let mut reader: Reader<'_> = curve.children()?;
    let a = reader.expect(Tag::OCTET_STRING, "coefficient a (OCTET STRING) expected")?;
    let b = reader.expect(Tag::OCTET_STRING, "coefficient b (OCTET STRING) expected")?;
    reader.optional(BIT_STRING)?;
    reader.finish()?;
    let is = |value: &[u8], number: &[u8; 32]| unsigned(value) == number;
    Ok(Curve::ALL.into_iter().find(|known| {
        let known = known.parameters();
        is(prime.value, &known.p)
            && is(a.value, &known.a)
            && is(b.value, &known.b)
            && base.value == [&[0x04][..], &known.x, &known.y].concat()
            && is(order.value, &known.n)
            && cofactor.as_ref().is_none_or(|h| h.value == [1])
    }))
}

/// Without the zero byte that keeps an INTEGER positive.
fn unsigned(value: &[u8]) -> &[u8] {
    match value {
        [0, rest @ ..] if rest.len() == 32 => rest,
        all => all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(curve: Curve) -> EcPublicKey {
        let known = curve.parameters();
        EcPublicKey::new(curve, &[&[4][..], &known.x, &known.y].concat()).unwrap()
    }

    fn parse(spki: &[u8]) -> Result<EcPublicKey, CardError> {
        EcPublicKey::from_spki(&tlv::single(spki, Tag::SEQUENCE, "key").unwrap(), "test")
    }

    fn spki(oid: &[u8], parameters: &[u8], key: &EcPublicKey) -> Vec<u8> {
        let algorithm = tlv::encode(Tag::SEQUENCE, &[&tlv::encode(Tag::OID, &[oid]), parameters]);
        tlv::encode(Tag::SEQUENCE, &[&algorithm, &tlv::encode(BIT_STRING, &[&[0], key.point()])])
    }

    fn explicit_parameters(curve: Curve, change: impl Fn(&mut Parameters)) -> Vec<u8> {
        let mut known = curve.parameters();
        change(&mut known);
        let integer = |value: &[u8]| tlv::encode(Tag::INTEGER, &[&[0], value]);
        let octets = |value: &[u8]| tlv::encode(Tag::OCTET_STRING, &[value]);
        let sequence = |parts: &[&[u8]]| tlv::encode(Tag::SEQUENCE, parts);
        sequence(&[
            &[2, 1, 1],
            &sequence(&[&tlv::encode(Tag::OID, &[ID_PRIME_FIELD]), &integer(&known.p)]),
            &sequence(&[&octets(&known.a), &octets(&known.b)]),
            &octets(&[&[4][..], &known.x, &known.y].concat()),
            &integer(&known.n),
            &[2, 1, 1],
        ])
    }

    #[test]
    fn a_curve_is_known_by_name_number_and_parameters() {
        for curve in Curve::ALL {
            let key = key(curve);
            assert_eq!(parse(&key.to_spki()).unwrap(), key);
            let numbered = spki(ID_STANDARDIZED, &[2, 1, curve.number()], &key);
            assert_eq!(parse(&numbered).unwrap(), key);
            let explicit = spki(ID_EC_PUBLIC_KEY, &explicit_parameters(curve, |_| {}), &key);
            assert_eq!(parse(&explicit).unwrap(), key);
        }
    }

    #[test]
    fn one_changed_parameter_makes_another_curve() {
        let changes: [fn(&mut Parameters); 6] = [
            |c| c.p[31] ^= 2,
            |c| c.a[0] ^= 1,
            |c| c.b[0] ^= 1,
            |c| c.x[0] ^= 1,
            |c| c.y[0] ^= 1,
            |c| c.n[31] ^= 2,
        ];
        for change in changes {
            let key = key(Curve::P256);
            let file = spki(ID_EC_PUBLIC_KEY, &explicit_parameters(Curve::P256, change), &key);
            assert!(parse(&file).is_err());
        }
    }

    #[test]
    fn compressed_points_are_refused() {
        assert!(EcPublicKey::new(Curve::P256, &[2; 33]).is_none());
        assert!(EcPublicKey::new(Curve::P256, &[2; 65]).is_none());
    }
}
