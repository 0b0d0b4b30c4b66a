//! The curves we know, by name and by their parameters.
//!
//! Doc 9303-12 asks for explicit parameters in the keys of CSCA and document signers, while most libraries
//! take names only. Here a key is brought back to its name: parameters that differ from a known curve's in
//! any value are refused, so that nobody can slip in a generator of his own choosing.

use der::asn1::ObjectIdentifier;

use crate::{PkiError, read, write};

/// A prime curve. Sources: FIPS 186-4 appendix D.1.2 for P-256 and P-384, RFC 5639 §3.4 and §3.6 for the
/// others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Curve {
    P256,
    P384,
    BrainpoolP256r1,
    BrainpoolP384r1,
}

/// Whether a key names its curve or spells it out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ParameterForm {
    /// `namedCurve` (RFC 5480 §2.1.1).
    Named,
    /// `SpecifiedECDomain` with generator uncompressed and cofactor present (Doc 9303-12, ECDSA; BSI TR-03111
    /// §4.2).
    Explicit,
}

/// Domain parameters in hexadecimal, each as long as the field.
struct Domain {
    p: &'static str,
    a: &'static str,
    b: &'static str,
    generator: &'static str,
    order: &'static str,
}

const PRIME_FIELD: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.1.1");

impl Curve {
    /// The curves of Doc 9303-12 that are supported.
    pub const ALL: [Curve; 4] = [Curve::P256, Curve::P384, Curve::BrainpoolP256r1, Curve::BrainpoolP384r1];

    /// The name in NIST's or Brainpool's writing.
    pub fn name(self) -> &'static str {
        match self {
            Curve::P256 => "P-256",
            Curve::P384 => "P-384",
            Curve::BrainpoolP256r1 => "brainpoolP256r1",
            Curve::BrainpoolP384r1 => "brainpoolP384r1",
        }
    }

    /// The object identifier of the named curve (RFC 5480 §2.1.1.1; RFC 5639 §4.1).
    pub fn oid(self) -> ObjectIdentifier {
        ObjectIdentifier::new_unwrap(match self {
            Curve::P256 => "1.2.840.10045.3.1.7",
            Curve::P384 => "1.3.132.0.34",
            Curve::BrainpoolP256r1 => "1.3.36.3.3.2.8.1.1.7",
            Curve::BrainpoolP384r1 => "1.3.36.3.3.2.8.1.1.11",
        })
    }

    /// Bytes of a coordinate.
    pub fn field_len(self) -> usize {
        match self {
            Curve::P256 | Curve::BrainpoolP256r1 => 32,
            Curve::P384 | Curve::BrainpoolP384r1 => 48,
        }
    }

    pub(crate) fn from_oid(oid: &[u8]) -> Option<Curve> {
        Curve::ALL.into_iter().find(|curve| curve.oid().as_bytes() == oid)
    }

    /// ECParameters as an object identifier or as SpecifiedECDomain, in DER.
    pub fn parameters(self, form: ParameterForm) -> Vec<u8> {
        if form == ParameterForm::Named {
            return write::oid(self.oid());
        }
        let domain = self.domain();
        let [p, a, b, generator, order] =
            [domain.p, domain.a, domain.b, domain.generator, domain.order].map(hex);
        write::sequence(&[
            &write::unsigned(&[1]),
            &write::sequence(&[&write::oid(PRIME_FIELD), &write::unsigned(&p)]),
            &write::sequence(&[&write::tlv(0x04, &[&a]), &write::tlv(0x04, &[&b])]),
            &write::tlv(0x04, &[&[0x04], &generator]),
            &write::unsigned(&order),
            &write::unsigned(&[1]),
        ])
    }

    /// Reads SpecifiedECDomain (RFC 3279 §2.3.5). A seed may be there and is not looked at: it says where the
    /// curve came from and changes nothing about it. A missing cofactor is accepted in what others made.
    pub(crate) fn from_specified(parameters: &[u8]) -> Result<Curve, PkiError> {
        let mut outer = read::Reader::new(parameters, "the curve's parameters");
        let mut domain = outer.expect(0x30, "SpecifiedECDomain (SEQUENCE)")?.children();
        outer.finish()?;
        let version = domain.expect(0x02, "version")?;
        if !matches!(version.value, [1..=3]) {
            return Err(version.error("version must be 1, 2 or 3"));
        }
        let mut field = domain.expect(0x30, "fieldID (SEQUENCE)")?.children();
        let kind = field.expect(0x06, "field type")?;
        if kind.value != PRIME_FIELD.as_bytes() {
            return Err(kind.error("only curves over prime fields are known here"));
        }
        let p = field.expect(0x02, "prime")?;
        let mut coefficients = domain.expect(0x30, "curve (SEQUENCE)")?.children();
        let a = coefficients.expect(0x04, "coefficient a")?;
        let b = coefficients.expect(0x04, "coefficient b")?;
        coefficients.optional(0x03)?;
        coefficients.finish()?;
        let generator = domain.expect(0x04, "generator")?;
        let order = domain.expect(0x02, "order")?;
        let cofactor = domain.optional(0x02)?;
        domain.optional(0x30)?;
        domain.finish()?;
        if cofactor.is_some_and(|c| c.value != [1]) {
            return Err(generator.error("the cofactor must be 1"));
        }
        Curve::ALL
            .into_iter()
            .find(|curve| {
                let domain = curve.domain();
                let same = |hexadecimal: &str, bytes: &[u8]| {
                    let known = hex(hexadecimal);
                    read::without_leading_zeros(&known) == read::without_leading_zeros(bytes)
                };
                let point = hex(domain.generator);
                let (x, y) = point.split_at(curve.field_len());
                // Compressed, the generator is its x and whether y is odd (SEC 1 §2.3.3).
                let generates = match generator.value.split_first() {
                    Some((4, rest)) => *rest == *point,
                    Some((&form @ (2 | 3), rest)) => rest == x && form & 1 == y[y.len() - 1] & 1,
                    _ => false,
                };
                same(domain.p, p.value)
                    && same(domain.a, a.value)
                    && same(domain.b, b.value)
                    && same(domain.order, order.value)
                    && generates
            })
            .ok_or_else(|| version.error("explicit parameters that are those of no curve known here"))
    }

    /// Prime, both coefficients, the generator uncompressed and its order, each without leading zeros: the
    /// parameters of a card-verifiable certificate (Doc 9303-11 §9.4.1, §9.4.4).
    pub(crate) fn values(self) -> [Vec<u8>; 5] {
        let domain = self.domain();
        let number = |digits| read::without_leading_zeros(&hex(digits)).to_vec();
        let generator = [&[0x04], &hex(domain.generator)[..]].concat();
        [number(domain.p), number(domain.a), number(domain.b), generator, number(domain.order)]
    }

    fn domain(self) -> Domain {
        match self {
            Curve::P256 => Domain {
                p: "FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF",
                a: "FFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFC",
                b: "5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B",
                generator: "6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296\
                    4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5",
                order: "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551",
            },
            Curve::P384 => Domain {
                p: "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF\
                    FFFFFFFFFFFFFFFEFFFFFFFF0000000000000000FFFFFFFF",
                a: "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF\
                    FFFFFFFFFFFFFFFEFFFFFFFF0000000000000000FFFFFFFC",
                b: "B3312FA7E23EE7E4988E056BE3F82D19181D9C6EFE814112\
                    0314088F5013875AC656398D8A2ED19D2A85C8EDD3EC2AEF",
                generator: "AA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B98\
                    59F741E082542A385502F25DBF55296C3A545E3872760AB7\
                    3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147C\
                    E9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F",
                order: "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF\
                    C7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973",
            },
            Curve::BrainpoolP256r1 => Domain {
                p: "A9FB57DBA1EEA9BC3E660A909D838D726E3BF623D52620282013481D1F6E5377",
                a: "7D5A0975FC2C3057EEF67530417AFFE7FB8055C126DC5C6CE94A4B44F330B5D9",
                b: "26DC5C6CE94A4B44F330B5D9BBD77CBF958416295CF7E1CE6BCCDC18FF8C07B6",
                generator: "8BD2AEB9CB7E57CB2C4B482FFC81B7AFB9DE27E1E3BD23C23A4453BD9ACE3262\
                    547EF835C3DAC4FD97F8461A14611DC9C27745132DED8E545C1D54C72F046997",
                order: "A9FB57DBA1EEA9BC3E660A909D838D718C397AA3B561A6F7901E0E82974856A7",
            },
            Curve::BrainpoolP384r1 => Domain {
                p: "8CB91E82A3386D280F5D6F7E50E641DF152F7109ED5456B4\
                    12B1DA197FB71123ACD3A729901D1A71874700133107EC53",
                a: "7BC382C63D8C150C3C72080ACE05AFA0C2BEA28E4FB22787\
                    139165EFBA91F90F8AA5814A503AD4EB04A8C7DD22CE2826",
                b: "04A8C7DD22CE28268B39B55416F0447C2FB77DE107DCD2A6\
                    2E880EA53EEB62D57CB4390295DBC9943AB78696FA504C11",
                generator: "1D1C64F068CF45FFA2A63A81B7C13F6B8847A3E77EF14FE3\
                    DB7FCAFE0CBD10E8E826E03436D646AAEF87B2E247D4AF1E\
                    8ABE1D7520F9C2A45CB1EB8E95CFD55262B70B29FEEC5864\
                    E19C054FF99129280E4646217791811142820341263C5315",
                order: "8CB91E82A3386D280F5D6F7E50E641DF152F7109ED5456B3\
                    1F166E6CAC0425A7CF3AB6AF6B7FC3103B883202E9046565",
            },
        }
    }
}

fn hex(digits: &str) -> Vec<u8> {
    let digit = |c: u8| (c as char).to_digit(16).expect("the constants above are hexadecimal") as u8;
    digits.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explicit_parameters_come_back_as_their_name() {
        for curve in Curve::ALL {
            let parameters = curve.parameters(ParameterForm::Explicit);
            assert_eq!(Curve::from_specified(&parameters).unwrap(), curve);
            assert_eq!(Curve::from_oid(curve.oid().as_bytes()), Some(curve));
        }
    }

    #[test]
    fn a_compressed_generator_is_the_same_generator() {
        let full = Curve::BrainpoolP256r1.parameters(ParameterForm::Explicit);
        let at = full.windows(3).position(|w| w == [0x04, 0x41, 0x04]).unwrap();
        for (form, right) in [(3, true), (2, false)] {
            let mut parameters = full[..at].to_vec();
            parameters.extend_from_slice(&[0x04, 0x21, form]);
            parameters.extend_from_slice(&full[at + 3..at + 35]);
            parameters.extend_from_slice(&full[at + 67..]);
            parameters[2] -= 32;
            assert_eq!(Curve::from_specified(&parameters).is_ok(), right, "form {form}");
        }
    }

    #[test]
    fn any_changed_bit_makes_it_no_known_curve() {
        for curve in Curve::ALL {
            let parameters = curve.parameters(ParameterForm::Explicit);
            for at in 0..parameters.len() {
                let mut changed = parameters.clone();
                changed[at] ^= 4;
                assert!(Curve::from_specified(&changed).is_err(), "{} byte {at}", curve.name());
            }
        }
    }
}
