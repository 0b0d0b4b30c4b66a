//! The worked examples of Doc 9303-11: appendix D (Basic Access Control) and appendix G.1 (PACE, generic
//! mapping, ECDH).

use zeroize::Zeroizing;

use crate::access::{self, MrzKey, Password};
use crate::agreement::{KeyPair, Point, map_generator};
use crate::pace;
use card::ec_key::Curve;
use card::secure_messaging::{Cipher, SessionKeys};

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect()
}

fn array<const N: usize>(text: &str) -> [u8; N] {
    unhex(text).try_into().unwrap()
}

#[test]
fn basic_access_control() {
    let key = MrzKey::new("L898902C", "690806", "940623").unwrap();
    let keys = key.basic_access_keys();
    let (challenge, reader) = (array("4608F91988702212"), array("781723860C06C226"));
    let reader_share = array("0B795240CB7049B01C19B33E32804F0B");
    let chip_share = array("0B4F80323EB3191CB04970CB4052790B");
    let sent = access::seal(&keys, &reader, &challenge, &reader_share);
    assert_eq!(
        sent,
        unhex("72C29C2371CC9BDB65B779B8E8D37B29ECC154AA56A8799FAE2F498F76ED92F25F1448EEA8AD90A7")
    );
    let answer = access::seal(&keys, &challenge, &reader, &chip_share);
    assert_eq!(
        answer,
        unhex("46B9342A41396CD7386BF5803104D7CEDC122B9132139BAF2EEDC94EE178534F2F2D235D074D7449")
    );
    let (theirs, share) = access::open(&keys, &sent, &challenge, None).unwrap();
    assert_eq!((theirs, *share), (reader, reader_share));
    assert!(access::open(&keys, &answer, &reader, Some(&challenge)).is_some());
    assert!(access::open(&keys, &answer, &reader, Some(&reader)).is_none(), "another challenge");
    // What the channel does with these keys is in crate `card`; here, that it is the channel of the example.
    let mut channel = access::channel(Cipher::TripleDes, (&challenge, &chip_share), (&reader, &reader_share));
    let select = card::apdu::Command::new(0, 0xA4, 2, 0x0C, &[1, 0x1E], None);
    assert_eq!(
        channel.seal_command(&select).to_bytes(),
        unhex("0CA4020C158709016375432908C044F68E08BF8B92D635FF24F800")
    );
}

#[test]
fn the_key_of_a_shorter_number_is_filled() {
    // Doc 9303-11, appendix D.2: the second and third example of the key seed.
    let long = MrzKey::new("D23145890734", "340712", "950712").unwrap();
    let filled = MrzKey::new("L898902C<", "690806", "940623").unwrap();
    let short = MrzKey::new("L898902C", "690806", "940623").unwrap();
    let mac = |key: &MrzKey| key.basic_access_keys().mac(&[0; 8]);
    assert_eq!(mac(&filled), mac(&short));
    assert_ne!(mac(&long), mac(&short));
    for wrong in [("", "690806", "940623"), ("L898902c", "690806", "940623"), ("L898902C", "69080", "940623")]
    {
        assert!(MrzKey::new(wrong.0, wrong.1, wrong.2).is_err());
    }
}

fn pair(secret: &str) -> KeyPair {
    KeyPair::from_secret(Curve::BrainpoolP256r1, Zeroizing::new(array(secret))).unwrap()
}

fn point(x: &str, y: &str) -> Point {
    [vec![4], unhex(x), unhex(y)].concat().try_into().unwrap()
}

#[test]
fn pace_generic_mapping() {
    let password = Password::Mrz(MrzKey::new("T22000129", "640812", "101031").unwrap());
    let nonce = array("3F00C4D39D153F2B2A214A078D899B22");
    let encrypted = array("95A3A016522EE98D01E76CB6B98B42C3");
    assert_eq!(password.pace_key().encrypt_nonce(&nonce), encrypted);
    assert_eq!(*password.pace_key().decrypt_nonce(&encrypted), nonce);

    let reader = pair("7F4EF07B9EA82FD78AD689B38D0BC78CF21F249D953BC46F4C6E19259C010F99");
    let chip = pair("498FF49756F2DC1587840041839A85982BE7761D14715FB091EFA7BCE9058560");
    let reader_public = point(
        "7ACF3EFC982EC45565A4B155129EFBC74650DCBFA6362D896FC70262E0C2CC5E",
        "544552DCB6725218799115B55C9BAA6D9F6BC3A9618E70C25AF71777A9C4922D",
    );
    let chip_public = point(
        "824FBA91C9CBE26BEF53A0EBE7342A3BF178CEA9F45DE0B70AA601651FBA3F57",
        "30D8C879AAA9C9F73991E61B58F4D52EB87A0A0C709A49DC63719363CCD13C54",
    );
    assert_eq!(*reader.public().point(), reader_public);
    assert_eq!(*chip.public().point(), chip_public);
    let common = reader.agree(&chip_public).unwrap();
    assert_eq!(common, chip.agree(&reader_public).unwrap());
    let generator = map_generator(Curve::BrainpoolP256r1, &nonce, &common).unwrap();
    let mapped = point(
        "8CED63C91426D4F0EB1435E7CB1D74A46723A0AF21C89634F65A9AE87A9265E2",
        "8C879506743F8611AC33645C5B985C80B5F09A0B83407C1B6A4D857AE76FE522",
    );
    assert_eq!(generator, mapped);
}

#[test]
fn pace_agreement_and_tokens() {
    let reader_public = point(
        "2DB7A64C0355044EC9DF190514C625CBA2CEA48754887122F3A5EF0D5EDD301C",
        "3556F3B3B186DF10B857B58F6A7EB80F20BA5DC7BE1D43D9BF850149FBB36462",
    );
    let chip_public = point(
        "9E880F842905B8B3181F7AF7CAA9F0EFB743847F44A306D2D28C1D9EC65DF6DB",
        "7764B22277A2EDDC3C265A9F018F9CB852E111B768B326904B59A0193776F094",
    );
    let reader = pair("A73FB703AC1436A18E0CFA5ABB3F7BEC7A070E7A6788486BEE230C4A22762595");
    let common = reader.agree(&chip_public).unwrap();
    assert_eq!(common[1..33], unhex("28768D20701247DAE81804C9E780EDE582A9996DB4A315020B2733197DB84925"));
    let keys = pace::session_keys(&common);
    assert_eq!(pace::token(&keys, &chip_public), array("C2B0BD78D94BA866"));
    assert_eq!(pace::token(&keys, &reader_public), array("3ABB9674BCE93C08"));
    assert_eq!(keys.cipher(), Cipher::Aes128);
    // Another secret gives other tokens, so the two above are not constants of the points alone.
    let other = SessionKeys::derive(Cipher::Aes128, b"other");
    assert_ne!(pace::token(&other, &chip_public), array("C2B0BD78D94BA866"));
}
