//! Certificates for TLS, made by openssl as an operator makes them (docs/operations.md).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An authority in a folder of its own.
pub struct Authority {
    folder: PathBuf,
    /// Its certificate, in PEM.
    pub certificate: PathBuf,
    key: PathBuf,
}

/// A certificate and its key, in PEM.
pub struct Leaf {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Authority {
    /// A new one.
    pub fn new(folder: &Path) -> Authority {
        fs::create_dir_all(folder).expect("a folder for certificates");
        let (certificate, key) = (folder.join("ca.pem"), folder.join("ca.key"));
        openssl(&certificate, &key, "/CN=Authority", &["keyUsage=critical,keyCertSign"], &[]);
        Authority { folder: folder.to_owned(), certificate, key }
    }

    /// For a server under these names: `DNS:centre.example,IP:192.0.2.1`.
    pub fn server(&self, file: &str, names: &str) -> Leaf {
        let names = format!("subjectAltName={names}");
        self.leaf(file, "/CN=server", &[&names, "extendedKeyUsage=serverAuth"])
    }

    /// For a client with this common name.
    pub fn client(&self, file: &str, common_name: &str) -> Leaf {
        self.leaf(file, &format!("/CN={common_name}"), &["extendedKeyUsage=clientAuth"])
    }

    fn leaf(&self, file: &str, subject: &str, extensions: &[&str]) -> Leaf {
        let leaf = Leaf {
            certificate: self.folder.join(format!("{file}.pem")),
            key: self.folder.join(format!("{file}.key")),
        };
        let issuer = ["-CA", text(&self.certificate), "-CAkey", text(&self.key)];
        let mut all = vec!["basicConstraints=critical,CA:FALSE"];
        all.extend(extensions);
        openssl(&leaf.certificate, &leaf.key, subject, &all, &issuer);
        leaf
    }
}

fn openssl(certificate: &Path, key: &Path, subject: &str, extensions: &[&str], issuer: &[&str]) {
    let mut command = Command::new("openssl");
    command.args(["req", "-x509", "-nodes", "-days", "30", "-subj", subject]);
    command.args(["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
    command.args(["-keyout", text(key), "-out", text(certificate)]).args(issuer);
    for extension in extensions {
        command.args(["-addext", extension]);
    }
    let made = command.output().expect("openssl is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn text(path: &Path) -> &str {
    path.to_str().expect("the path of a test is text")
}
