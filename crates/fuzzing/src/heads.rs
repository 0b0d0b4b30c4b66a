//! Files of signed heads of the audit trail, which come from wherever they were kept.

use centre::audit_heads::{SignedHeads, around, read};
use hsm::SoftwareSigner;
use packet::keys::PublicKey;
use pki::Signer;
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use store::audit::Head;
use time::macros::datetime;

fn key() -> (SoftwareSigner, PublicKey) {
    let signer = SoftwareSigner::generate(&mut ChaCha20Rng::seed_from_u64(7)).reproducible();
    let public = PublicKey::from_spki(signer.public_key()).expect("a key of ours is on P-256");
    (signer, public)
}

/// A line that is read is written as it was meant, and a file gives lines that follow from each other or the
/// number of the one that does not.
pub fn check(data: &[u8]) -> bool {
    if let Ok(line) = SignedHeads::parse(data) {
        assert_eq!(SignedHeads::parse(line.to_line().as_bytes()), Ok(line));
    }
    match read(data, &[key().1]) {
        Ok(lines) => {
            assert!(lines.windows(2).all(|pair| pair[1].previous == pair[0].link()));
            for row in [0, 1, i64::MAX] {
                let (before, after) = around(&lines, 0, row);
                assert!(before.is_none_or(|before| after.is_none_or(|after| before.number < after.number)));
            }
            !lines.is_empty()
        }
        Err((line, _)) => {
            assert!(line >= 1);
            false
        }
    }
}

/// A file of one line, and one of three.
pub fn seeds() -> Vec<Vec<u8>> {
    let (signer, public) = key();
    let mut lines: Vec<SignedHeads> = Vec::new();
    for n in 0..3u8 {
        let head = |chain| Head { chain, seq: i64::from(n) * 3, hash: [n; 32] };
        let at = datetime!(2026-01-15 01:00 UTC) + time::Duration::minutes(n.into());
        let line = SignedHeads::sign(lines.last(), at, (0..16).map(head).collect(), &signer, &public);
        lines.push(line.expect("a key in memory signs"));
    }
    let file = |lines: &[SignedHeads]| lines.iter().flat_map(|l| (l.to_line() + "\n").into_bytes()).collect();
    vec![file(&lines[..1]), file(&lines)]
}
