//! What browsers send: forms and addresses, and where a request comes from.

use axum::http::HeaderMap;

/// Browsers say where a request comes from (Fetch Metadata); the token is what protects, this is the second
/// lock.
pub(crate) fn cross_site(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "same-origin" && site != "none")
}

/// The first field of this name in a URL-encoded form.
pub(crate) fn form_field(body: &[u8], name: &str) -> Option<String> {
    form_fields(body).find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// The fields of a URL-encoded form, in its order. Names are ours and have no escapes.
pub(crate) fn form_fields(body: &[u8]) -> impl Iterator<Item = (&str, String)> {
    let text = std::str::from_utf8(body).unwrap_or_default();
    text.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (name, percent_decode(value)))
}

pub(crate) fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                out.push(byte as char)
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn percent_decode(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).and_then(|h| std::str::from_utf8(h).ok());
        match (bytes[at], hex.and_then(|h| u8::from_str_radix(h, 16).ok())) {
            (b'%', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (b'+', _) => out.push(b' '),
            (byte, _) => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A redirect target inside the site, or `None`: what came in a query could lead elsewhere.
pub(crate) fn inside(target: &str) -> Option<&str> {
    let safe = target.starts_with('/')
        && !target.starts_with("//")
        && !target.contains('\\')
        && target.bytes().all(|b| (0x21..0x7f).contains(&b));
    safe.then_some(target)
}

/// The query without the parameter `lang`, for links that change the language.
pub(crate) fn without_lang(query: &str) -> String {
    query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("lang="))
        .collect::<Vec<_>>()
        .join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_and_their_escapes_undone() {
        let body = "a=1&name=Nguy%E1%BB%85n+An&csrf=x%2By&bad=%zz%4".as_bytes();
        assert_eq!(form_field(body, "name").as_deref(), Some("Nguyễn An"));
        assert_eq!(form_field(body, "csrf").as_deref(), Some("x+y"));
        assert_eq!(form_field(body, "bad").as_deref(), Some("%zz%4"));
        assert_eq!(form_field(body, "none"), None);
        assert_eq!(percent_decode(&percent_encode("/cu-dan?ten=Đỗ&x=%")), "/cu-dan?ten=Đỗ&x=%");
    }

    #[test]
    fn a_redirect_stays_inside() {
        assert_eq!(inside("/cu-dan?ten=an"), Some("/cu-dan?ten=an"));
        for bad in ["//evil.example", "https://evil.example", "/\\evil.example", "/a\r\nx: y", "", "cu-dan"] {
            assert_eq!(inside(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn the_language_leaves_the_query() {
        assert_eq!(without_lang("lang=en&ten=an&trang=2"), "ten=an&trang=2");
        assert_eq!(without_lang("language=1"), "language=1");
    }
}
