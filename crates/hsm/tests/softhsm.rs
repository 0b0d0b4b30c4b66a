//! Keys in a real PKCS#11 module: SoftHSM2 with a token directory of its own for each test.
//!
//! The module reads its configuration from the environment once in a process, so each test runs its body, the
//! ignored test of the same name in `inside`, in a process of its own.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

use std::{fs, path::PathBuf, process::Command};

const MODULES: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
];

fn in_a_token_of_its_own(name: &str) {
    let folder = tempfile::tempdir().unwrap();
    let (tokens, configuration) = (folder.path().join("tokens"), folder.path().join("softhsm2.conf"));
    fs::create_dir(&tokens).unwrap();
    let text = format!(
        "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
        tokens.display()
    );
    fs::write(&configuration, text).unwrap();
    let made = Command::new("softhsm2-util")
        .args(["--init-token", "--free", "--label", "dancu test", "--so-pin", "87654321", "--pin", "123456"])
        .env("SOFTHSM2_CONF", &configuration)
        .output()
        .expect("SoftHSM2 must be installed: apt-get install softhsm2");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let ran = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("inside::{name}"), "--ignored", "--nocapture"])
        .env("SOFTHSM2_CONF", &configuration)
        .env("DANCU_TEST_TOKENS", &tokens)
        .env("DANCU_TEST_PIN", "123456")
        .output()
        .unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(ran.status.success() && said.contains("1 passed"), "{said}");
}

fn module() -> PathBuf {
    let found = MODULES.iter().map(PathBuf::from).find(|path| path.exists());
    found.expect("SoftHSM2 must be installed: apt-get install softhsm2")
}

#[test]
fn keys_of_every_algorithm_sign_what_others_verify() {
    in_a_token_of_its_own("keys_of_every_algorithm_sign_what_others_verify");
}

#[test]
fn a_csca_and_its_document_signer_live_in_the_token() {
    in_a_token_of_its_own("a_csca_and_its_document_signer_live_in_the_token");
}

#[test]
fn a_token_that_goes_away_is_told_and_one_that_comes_back_is_used() {
    in_a_token_of_its_own("a_token_that_goes_away_is_told_and_one_that_comes_back_is_used");
}

#[test]
fn many_threads_share_few_sessions() {
    in_a_token_of_its_own("many_threads_share_few_sessions");
}

#[test]
fn a_token_that_takes_too_long_is_left_and_nothing_is_signed_late() {
    in_a_token_of_its_own("a_token_that_takes_too_long_is_left_and_nothing_is_signed_late");
}

#[test]
fn a_wrong_pin_is_tried_once() {
    in_a_token_of_its_own("a_wrong_pin_is_tried_once");
}

mod inside {
    use std::time::{Duration, Instant};

    use hsm::{HsmError, Pin, Token, TokenConfig};
    use pki::*;
    use time::{OffsetDateTime, macros::datetime};

    use super::*;

    const START: OffsetDateTime = datetime!(2021-01-01 00:00 UTC);

    fn config() -> TokenConfig {
        TokenConfig::new(module(), "dancu test", Pin::from_environment("DANCU_TEST_PIN").unwrap())
    }

    fn tokens() -> PathBuf {
        PathBuf::from(std::env::var_os("DANCU_TEST_TOKENS").unwrap())
    }

    #[test]
    #[ignore = "runs in a process of its own"]
    fn keys_of_every_algorithm_sign_what_others_verify() {
        let token = Token::open(config()).unwrap();
        for algorithm in SignatureAlgorithm::ALL {
            let label = format!("key {}", algorithm.curve().name());
            assert!(token.find(&label).unwrap().is_none());
            let signer = token.generate(&label, algorithm).unwrap();
            assert_eq!(signer.algorithm(), algorithm);
            for number in 0..20u8 {
                let signature = signer.sign(&[number]).unwrap();
                verify_signature(algorithm.scheme(), signer.public_key(), &[number], &signature).unwrap();
                let other = verify_signature(algorithm.scheme(), signer.public_key(), b"other", &signature);
                assert!(other.is_err());
            }
            let again = token.generate(&label, algorithm);
            assert!(matches!(again, Err(HsmError::KeyExists { .. })), "{again:?}");
            assert_eq!(token.signer(&label).unwrap().public_key(), signer.public_key());
        }
        assert!(token.signer("no such key").unwrap_err().to_string().contains("no such key"));
        let nowhere = TokenConfig { token: "another".to_owned(), ..config() };
        assert!(matches!(Token::open(nowhere), Err(HsmError::NoToken { .. })));
        let no_module = TokenConfig { module: "/usr/lib/no-such-module.so".into(), ..config() };
        assert!(matches!(Token::open(no_module), Err(HsmError::Module { .. })));
    }

    #[test]
    #[ignore = "runs in a process of its own"]
    fn a_csca_and_its_document_signer_live_in_the_token() {
        let token = Token::open(config()).unwrap();
        for suite in Suite::ALL {
            let root = token.generate(&format!("csca {}", suite.name), suite.algorithm).unwrap();
            let signer = token.generate(&format!("ds {}", suite.name), suite.algorithm).unwrap();
            let serial = |n| SerialNumber::new(&[n]).unwrap();
            let may_sign = |n| SigningToken::after_recording(serial(n));
            let name = |common| Name::new("VN", "dancu", common).unwrap();
            let csca = prepare_csca(&suite.csca(), &name("CSCA"), serial(1), START, root.public_key())
                .and_then(|prepared| prepared.lint()?.sign(may_sign(1), &root))
                .unwrap();
            let profile = suite.document_signer();
            let key = signer.public_key();
            let ds = prepare_document_signer(&profile, &csca, &name("DS"), serial(2), START, key)
                .and_then(|prepared| prepared.lint()?.sign(may_sign(2), &root))
                .unwrap();
            ds.verify_signed_by(&csca).unwrap();
            let next = START + time::Duration::days(30);
            let crl = prepare_crl(&csca, suite.algorithm, 1, START, next, &[])
                .and_then(|prepared| prepared.sign(&root))
                .unwrap();
            assert!(Crl::from_der(&crl, &csca).unwrap().revoked_at(&ds).is_none());
        }
    }

    #[test]
    #[ignore = "runs in a process of its own"]
    fn a_token_that_goes_away_is_told_and_one_that_comes_back_is_used() {
        let timeout = Duration::from_secs(5);
        let token = Token::open(TokenConfig { sessions: 1, timeout, ..config() }).unwrap();
        let signer = token.generate("key", SignatureAlgorithm::EcdsaP256Sha256).unwrap();
        signer.sign(b"before").unwrap();
        let away = tokens().with_extension("away");
        fs::rename(tokens(), &away).unwrap();
        let begun = Instant::now();
        let failed = signer.sign(b"while it is away").unwrap_err();
        assert!(begun.elapsed() < timeout + Duration::from_secs(1), "waited {:?}", begun.elapsed());
        println!("while away: {failed}");
        fs::rename(&away, tokens()).unwrap();
        let signature = signer.sign(b"after").unwrap();
        verify_signature(signer.algorithm().scheme(), signer.public_key(), b"after", &signature).unwrap();
    }

    #[test]
    #[ignore = "runs in a process of its own"]
    fn many_threads_share_few_sessions() {
        let token = Token::open(TokenConfig { sessions: 2, ..config() }).unwrap();
        let signer = token.generate("key", SignatureAlgorithm::EcdsaBrainpoolP256r1Sha256).unwrap();
        std::thread::scope(|scope| {
            for thread in 0..16u8 {
                let signer = &signer;
                scope.spawn(move || {
                    for number in 0..10u8 {
                        let message = [thread, number];
                        let signature = signer.sign(&message).unwrap();
                        let scheme = signer.algorithm().scheme();
                        verify_signature(scheme, signer.public_key(), &message, &signature).unwrap();
                    }
                });
            }
        });
    }

    #[test]
    #[ignore = "runs in a process of its own"]
    fn a_token_that_takes_too_long_is_left_and_nothing_is_signed_late() {
        let patient = Token::open(config()).unwrap();
        patient.generate("key", SignatureAlgorithm::EcdsaP256Sha256).unwrap();
        let hasty = Token::open(TokenConfig { timeout: Duration::from_nanos(1), ..config() }).unwrap();
        let signer = hasty.signer("key").unwrap();
        for _ in 0..20 {
            let late = signer.sign(b"message").unwrap_err();
            assert!(
                matches!(&late, SignError::Unavailable(why) if why.contains("must not be used again")),
                "{late}"
            );
        }
        patient.signer("key").unwrap().sign(b"message").unwrap();
    }

    #[test]
    #[ignore = "runs in a process of its own"]
    fn a_wrong_pin_is_tried_once() {
        let file = tokens().join("pin");
        fs::write(&file, "999999\n").unwrap();
        let readable = Pin::from_file(&file);
        assert!(matches!(readable, Err(HsmError::Exposed { .. })), "a PIN that all can read is refused");
        let mut rights = fs::metadata(&file).unwrap().permissions();
        std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o600);
        fs::set_permissions(&file, rights).unwrap();
        let wrong = TokenConfig { pin: Pin::from_file(&file).unwrap(), ..config() };
        let refused = Token::open(wrong).unwrap_err();
        let text = refused.to_string();
        assert!(text.contains("PinIncorrect") && !text.contains("999999"), "{text}");
        Token::open(config()).unwrap();
    }
}
