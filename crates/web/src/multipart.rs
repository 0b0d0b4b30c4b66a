//! Forms with files (RFC 7578).

use axum::http::{HeaderMap, header};

use crate::error::Error;
use crate::form::form_field;

/// Parts of one form. A chip has at most eighteen files; a case of correction has at most twenty-four items
/// with two parts each, and its paper.
const MOST_PARTS: usize = 64;

/// A form, whichever way the browser wrote it.
pub(crate) struct Form {
    parts: Vec<Part>,
}

struct Part {
    name: String,
    file_name: Option<String>,
    value: Vec<u8>,
}

impl Form {
    /// Reads a form with the named text fields, sent as multipart or URL-encoded.
    pub async fn read(headers: &HeaderMap, body: &[u8], fields: &[&str]) -> Result<Form, Error> {
        let kind = kind_of(headers);
        if !is_multipart(headers) {
            let part = |name: &&str| {
                let value = form_field(body, name)?.into_bytes();
                Some(Part { name: (*name).to_owned(), file_name: None, value })
            };
            return Ok(Form { parts: fields.iter().filter_map(part).collect() });
        }
        let broken = |_| Error::BadForm("a form with files that does not follow RFC 7578");
        let boundary = multer::parse_boundary(kind).map_err(broken)?;
        let mut form = multer::Multipart::with_reader(body, boundary);
        let mut parts = Vec::new();
        while let Some(field) = form.next_field().await.map_err(broken)? {
            if parts.len() == MOST_PARTS {
                return Err(Error::BadForm("more parts than any form has"));
            }
            let name = field.name().unwrap_or_default().to_owned();
            let file_name = field.file_name().map(str::to_owned);
            let value = field.bytes().await.map_err(broken)?.to_vec();
            parts.push(Part { name, file_name, value });
        }
        Ok(Form { parts })
    }

    /// A text field, without the white space around it; `None` when it is empty or not there.
    pub fn typed(&self, name: &str) -> Option<String> {
        let part = self.parts.iter().find(|part| part.name == name && part.file_name.is_none())?;
        let text = String::from_utf8_lossy(&part.value).trim().to_owned();
        (!text.is_empty()).then_some(text)
    }

    /// The files of a field, by the names that they have on the sender's disk.
    pub fn files(self, name: &str) -> impl Iterator<Item = (String, Vec<u8>)> {
        self.parts.into_iter().filter_map(move |part| {
            // A file field in which nothing was chosen is sent with an empty name.
            let file_name = part.file_name.filter(|file| part.name == name && !file.is_empty())?;
            Some((file_name, part.value))
        })
    }
}

fn kind_of(headers: &HeaderMap) -> &str {
    headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Whether the form may have files.
pub(crate) fn is_multipart(headers: &HeaderMap) -> bool {
    kind_of(headers).starts_with("multipart/form-data")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(kind: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::CONTENT_TYPE, kind.parse().expect("a header's value"))])
    }

    #[tokio::test]
    async fn texts_and_files_are_told_apart() {
        let body = "--x\r\nContent-Disposition: form-data; name=\"qr\"\r\n\r\n a|b \r\n\
            --x\r\nContent-Disposition: form-data; name=\"tep\"; filename=\"DG1\"\r\nContent-Type: \
            application/octet-stream\r\n\r\n\x01\r\n\x02\r\n\
            --x\r\nContent-Disposition: form-data; name=\"tep\"; filename=\"\"\r\n\r\n\r\n--x--\r\n";
        let kind = "multipart/form-data; boundary=x";
        let form = Form::read(&headers(kind), body.as_bytes(), &[]).await.expect("a whole form");
        assert_eq!((form.typed("qr").as_deref(), form.typed("tep")), (Some("a|b"), None));
        let files: Vec<_> = form.files("tep").collect();
        assert_eq!(files, [("DG1".to_owned(), b"\x01\r\n\x02".to_vec())]);
        for (kind, body) in [(kind, &body[..40]), ("multipart/form-data", body)] {
            assert!(Form::read(&headers(kind), body.as_bytes(), &[]).await.is_err(), "{kind}");
        }
        let many = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n\r\n".repeat(MOST_PARTS + 1)
            + "--x--\r\n";
        assert!(Form::read(&headers(kind), many.as_bytes(), &[]).await.is_err());
    }

    #[tokio::test]
    async fn a_form_without_files_may_be_url_encoded() {
        let kind = "application/x-www-form-urlencoded";
        let form = Form::read(&headers(kind), b"qr=a%7Cb&mrz=+&x=1", &["qr", "mrz"]).await.expect("a form");
        assert_eq!(
            (form.typed("qr").as_deref(), form.typed("mrz"), form.typed("x")),
            (Some("a|b"), None, None)
        );
    }
}
