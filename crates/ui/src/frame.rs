//! What stands around every page: the language, who is reading, where the reader is, and the token of forms.
//! The template is
//! `templates/base.html`.

use crate::format;
use crate::i18n::Lang;

/// A link of the navigation or of the foot.
#[derive(Clone)]
pub struct Link {
    pub href: &'static str,
    pub label: &'static str,
    /// The page belongs to it.
    pub current: bool,
}

/// The signed-in person for whom a page is drawn.
#[derive(Clone)]
pub struct Reader {
    pub name: String,
    pub role: &'static str,
    /// The reader's unit, in full.
    pub unit: String,
    /// For the hidden field `csrf` of forms.
    pub form_token: String,
    /// Where the form that signs out is sent.
    pub sign_out: &'static str,
}

/// The frame of a page.
#[derive(Clone)]
pub struct Frame {
    pub lang: Lang,
    /// The page in the other language.
    pub other_lang_href: String,
    /// Addresses of the style sheet and of the icon.
    pub css: String,
    pub icon: &'static str,
    pub nav: Vec<Link>,
    /// Links at the foot.
    pub foot: Vec<Link>,
    pub reader: Option<Reader>,
}

impl Frame {
    /// The text of a key.
    pub fn t(&self, key: &str) -> &'static str {
        self.lang.text(key)
    }

    /// A text that is named by a code, such as `state.` + `printed`.
    pub fn code(&self, prefix: &str, code: &str) -> &'static str {
        self.lang.text(&format!("{prefix}.{code}"))
    }

    /// A whole number in groups of three.
    pub fn n(&self, number: &i64) -> String {
        format::count(self.lang, *number)
    }

    /// For the hidden field of forms; empty when signed out.
    pub fn form_token(&self) -> &str {
        self.reader.as_ref().map_or("", |reader| &reader.form_token)
    }

    /// The reader's unit in full; empty when signed out.
    pub fn unit(&self) -> &str {
        self.reader.as_ref().map_or("", |reader| &reader.unit)
    }
}
