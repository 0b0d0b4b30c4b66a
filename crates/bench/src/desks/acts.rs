//! What officers do at their desks, page by page, and in which mixture.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use sha2::{Digest, Sha256};

use super::figures::Figures;
use super::officers::{Officer, Sought};
use crate::browser::{Browser, encode, links, value_of};
use simulate::stream::Stream;
use web::Role;

/// One page, or one form with the page that it leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    SearchName,
    SearchNumber,
    OpenPerson,
    Applications,
    OpenApplication,
    Day,
    Progress,
    Cases,
    OpenCase,
    /// Proposes a decision, or withdraws the one that was proposed: the write.
    Decide,
}

use Act::{
    Applications, Cases, Day, Decide, OpenApplication, OpenCase, OpenPerson, Progress, SearchName,
    SearchNumber,
};

impl Act {
    pub(crate) const fn code(self) -> &'static str {
        match self {
            SearchName => "search_name",
            SearchNumber => "search_number",
            OpenPerson => "open_person",
            Applications => "applications",
            OpenApplication => "open_application",
            Day => "day",
            Progress => "progress",
            Cases => "cases",
            OpenCase => "open_case",
            Decide => "decide",
        }
    }
}

/// What each role does, in hundredths.
pub const fn mixture(role: Role) -> &'static [(Act, u32)] {
    match role {
        Role::Officer => &[
            (SearchName, 30),
            (SearchNumber, 15),
            (OpenPerson, 27),
            (Applications, 8),
            (OpenApplication, 8),
            (Day, 12),
        ],
        Role::Clerk => &[(SearchName, 35), (SearchNumber, 25), (OpenPerson, 35), (Applications, 5)],
        Role::Commander => &[
            (Progress, 10),
            (Applications, 30),
            (OpenApplication, 25),
            (Day, 15),
            (SearchName, 10),
            (OpenPerson, 10),
        ],
        // A campaign's days are measured, in which no case of correction is opened.
        Role::Justice => &[],
        Role::Adjudicator => &[(Cases, 20), (OpenCase, 40), (Decide, 30), (SearchName, 5), (OpenPerson, 5)],
    }
}

/// How long somebody looks at a page before the next act.
#[derive(Debug, Clone, Copy)]
pub struct Think {
    pub from: Duration,
    pub to: Duration,
}

impl Think {
    pub(crate) const NONE: Think = Think { from: Duration::ZERO, to: Duration::ZERO };

    fn draw(self, stream: &mut Stream) -> Duration {
        let millis = (self.to - self.from).as_millis() as u32;
        self.from + Duration::from_millis(u64::from(stream.below(millis + 1)))
    }
}

/// One officer at work.
pub struct Desk<'a> {
    officer: &'a Officer,
    browser: Browser,
    stream: Stream,
    /// What the last lists led to.
    people: Vec<String>,
    applications: Vec<String>,
    cases: Vec<String>,
    form: Option<Form>,
}

/// A case's form as it stands on the page that was read last.
struct Form {
    action: String,
    fields: Vec<(&'static str, String)>,
}

impl<'a> Desk<'a> {
    pub(crate) fn new(officer: &'a Officer, browser: Browser, stream: Stream) -> Desk<'a> {
        let (people, applications, cases) = (Vec::new(), Vec::new(), Vec::new());
        Desk { officer, browser, stream, people, applications, cases, form: None }
    }

    /// Works until `end`. What begins before `counted` warms up and is not counted, unless it fails.
    pub async fn work(&mut self, think: Think, only: Option<Act>, counted: Instant, end: Instant) -> Figures {
        let mut figures = Figures::default();
        // Not everybody turns to the screen in the same instant.
        let late = self.stream.below(think.to.as_millis() as u32 + 1);
        tokio::time::sleep(Duration::from_millis(u64::from(late))).await;
        loop {
            let begun = Instant::now();
            if begun >= end {
                return figures;
            }
            let act = only.unwrap_or_else(|| self.next());
            match self.act(act).await {
                Ok(()) if begun >= counted => figures.add(act.code(), begun.elapsed()),
                Ok(()) => {}
                Err(error) => figures.fail(act.code(), &error),
            }
            let pause = think.draw(&mut self.stream);
            tokio::time::sleep(pause.min(end.saturating_duration_since(Instant::now()))).await;
        }
    }

    /// The browser, still signed in.
    pub fn leave(self) -> Browser {
        self.browser
    }

    /// What comes next; where there is nothing to open yet, the list that leads to it.
    fn next(&mut self) -> Act {
        let mixture = mixture(self.officer.role);
        let weights: Vec<u32> = mixture.iter().map(|(_, weight)| *weight).collect();
        match mixture[self.stream.weighted(&weights)].0 {
            // Of few people nobody may have a number yet.
            SearchNumber if self.officer.sought.iter().all(|sought| sought.pin.is_none()) => SearchName,
            OpenPerson if self.people.is_empty() => SearchName,
            OpenApplication if self.applications.is_empty() => Applications,
            Decide if self.form.is_none() && self.cases.is_empty() => Cases,
            Decide if self.form.is_none() => OpenCase,
            OpenCase if self.cases.is_empty() => Cases,
            act => act,
        }
    }

    async fn act(&mut self, act: Act) -> Result<()> {
        match act {
            SearchName => self.search_name().await,
            SearchNumber => self.search_number().await,
            OpenPerson => {
                let href = pick(&self.people, &mut self.stream)?;
                self.open_person(&href).await
            }
            Applications => self.list_applications().await,
            OpenApplication => {
                let href = pick(&self.applications, &mut self.stream)?;
                self.browser.get(&href).await?.good().map(drop)
            }
            Day => {
                // Mostly today's, at times tomorrow's.
                let path = if self.stream.chance(0.8) { "/lich-moi" } else { "/lich-moi?ngay=2021-04-21" };
                self.browser.get(path).await?.good().map(drop)
            }
            Progress => self.browser.get("/tong-quan").await?.good().map(drop),
            Cases => self.list_cases().await,
            OpenCase => {
                let href = pick(&self.cases, &mut self.stream)?;
                let page = self.browser.get(&href).await?.good()?;
                self.form = form(&href, &page);
                // A case that leaves nothing to do is not looked at again.
                if self.form.is_none() {
                    self.cases.retain(|case| *case != href);
                }
                Ok(())
            }
            Decide => self.decide().await,
        }
    }

    /// Of ten searches six are by the whole name, one of these with the year, three by its end, and one by
    /// the family name alone.
    async fn search_name(&mut self) -> Result<()> {
        let sought = sought(&self.officer.sought, &mut self.stream)?;
        let words: Vec<&str> = sought.name.split(' ').collect();
        let (typed, year) = match self.stream.below(10) {
            0 => (sought.name.clone(), Some(sought.year)),
            1..6 => (sought.name.clone(), None),
            6..9 => (words[words.len().saturating_sub(2)..].join(" "), None),
            _ => (words.first().copied().unwrap_or_default().to_owned(), None),
        };
        let year = year.map(|year| year.to_string()).unwrap_or_default();
        let page = self.browser.get(&format!("/cu-dan?ten={}&nam={year}", encode(&typed))).await?.good()?;
        self.people = links(&page, "/cu-dan");
        ensure!(!self.people.is_empty(), "nobody was found, and somebody of this name is there");
        Ok(())
    }

    async fn search_number(&mut self) -> Result<()> {
        let with_number = self.officer.sought.iter().filter(|sought| sought.pin.is_some());
        let with_number: Vec<&Sought> = with_number.collect();
        let at = self.stream.below(with_number.len() as u32) as usize;
        let pin = with_number.get(at).and_then(|sought| sought.pin.clone()).context("nobody has a number")?;
        let page = self.browser.get(&format!("/cu-dan?so={pin}")).await?.good()?;
        self.people = links(&page, "/cu-dan");
        ensure!(self.people.len() == 1, "the number found {} people", self.people.len());
        Ok(())
    }

    /// Opens a record; where no work leads to the person, with the reason that most have.
    async fn open_person(&mut self, href: &str) -> Result<()> {
        let mut page = self.browser.get(href).await?.good()?;
        if let Some((_, form)) = page.split_once(&format!("method=\"post\" action=\"{href}\"")) {
            let token = value_of(form, "csrf").context("a form has its token")?;
            let reason = [("csrf", token.as_str()), ("ly-do", "present"), ("noi-dung", "")];
            page = self.browser.post(href, &reason).await?.good()?;
        }
        ensure!(page.contains("id=\"identity\""), "the record did not open");
        Ok(())
    }

    async fn list_applications(&mut self) -> Result<()> {
        // The newest, mostly; else those that wait for an adjudicator, or were refused.
        let path = match self.stream.below(10) {
            0 | 1 => "/ho-so?trang-thai=in_case",
            2 => "/ho-so?trang-thai=rejected",
            _ => "/ho-so",
        };
        let page = self.browser.get(path).await?.good()?;
        let found = links(&page, "/ho-so");
        if !found.is_empty() {
            self.applications = found;
        }
        Ok(())
    }

    async fn list_cases(&mut self) -> Result<()> {
        let page = self.browser.get("/ho-so-xet").await?.good()?;
        let (turn, of) = self.officer.turn;
        let is_mine = |href: &String| {
            let digest = Sha256::digest(href.as_bytes());
            u64::from(digest[0]) % of == turn
        };
        self.cases = links(&page, "/ho-so-xet").into_iter().filter(is_mine).collect();
        Ok(())
    }

    async fn decide(&mut self) -> Result<()> {
        let form = self.form.take().context("no case is open")?;
        let fields: Vec<(&str, &str)> =
            form.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let page = self.browser.post(&form.action, &fields).await?.good()?;
        ensure!(page.contains("class=\"notice good\""), "the decision was not taken");
        // What was proposed is withdrawn the next time, so that a run leaves the cases as they were.
        self.form = self::form(&form.action, &page).filter(|form| form.does("withdraw"));
        Ok(())
    }
}

impl Form {
    fn does(&self, act: &str) -> bool {
        self.fields.iter().any(|(name, value)| *name == "viec" && value == act)
    }
}

/// The form of a case's page, filled in: withdrawing what one proposed, or else proposing what is offered
/// first. `None` where neither is possible.
fn form(action: &str, page: &str) -> Option<Form> {
    let panel = page.split_once(&format!("action=\"{action}\""))?.1;
    let field = |name| Some((name, value_of(panel, name)?));
    let mut fields = vec![field("csrf")?, field("lenh")?, field("ban")?];
    if panel.contains("value=\"withdraw\"") {
        fields.push(("viec", "withdraw".to_owned()));
    } else {
        fields.push(field("quyet-dinh")?);
        fields.push(("viec", "propose".to_owned()));
    }
    Some(Form { action: action.to_owned(), fields })
}

fn pick(of: &[String], stream: &mut Stream) -> Result<String> {
    let at = stream.below(of.len() as u32) as usize;
    of.get(at).cloned().context("there is nothing to open")
}

fn sought<'a>(of: &'a [Sought], stream: &mut Stream) -> Result<&'a Sought> {
    let at = stream.below(of.len() as u32) as usize;
    of.get(at).context("nobody is looked for")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roles_mixture_is_whole() {
        for role in Role::STAFF {
            assert_eq!(mixture(role).iter().map(|(_, weight)| weight).sum::<u32>(), 100, "{role:?}");
        }
    }

    #[test]
    fn a_form_proposes_the_first_offer_or_withdraws_what_was_proposed() {
        let open = "<form method=\"post\" action=\"/ra\"><input name=\"csrf\" value=\"0\"></form>\
            <form method=\"post\" action=\"/ho-so-xet/7\"><input type=\"hidden\" name=\"csrf\" value=\"a\">\
            <input type=\"hidden\" name=\"lenh\" value=\"b\"><input type=\"hidden\" name=\"ban\" value=\"0\">\
            <input type=\"radio\" name=\"quyet-dinh\" value=\"link:1\" required>\
            <button name=\"viec\" value=\"propose\">";
        let form_of = |page: &str| form("/ho-so-xet/7", page);
        let proposed = form_of(open).unwrap();
        let fields =
            [("csrf", "a"), ("lenh", "b"), ("ban", "0"), ("quyet-dinh", "link:1"), ("viec", "propose")];
        assert_eq!(proposed.fields, fields.map(|(name, value)| (name, value.to_owned())));
        let own = open.replace("propose", "withdraw");
        assert!(form_of(&own).unwrap().does("withdraw"));
        // A colleague's proposal is left alone, and so is a closed case.
        let others = open.replace("quyet-dinh", "nothing").replace("propose", "confirm");
        assert!(form_of(&others).is_none());
        assert!(form_of("<p>closed</p>").is_none());
    }
}
