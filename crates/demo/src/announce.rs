//! Where to look at a demonstration, and as whom.

use anyhow::{Context, Result};

use crate::{prepare, receipts, staff};
use centre::Installation;
use domain::unit::Units;
use store::UnitScope;
use store::report::work::{self, Waiting};
use ui::say;
use web::Role;

/// The adjudicator who confirms; the other one decides.
const CONFIRMER: &str = "thamdinh2";

/// Makes the demonstration's accounts and prints where to go.
///
/// # Errors
/// A data directory without a demonstration, or accounts that cannot be written.
pub async fn announce(centre: &Installation, base_url: &str) -> Result<()> {
    let district = prepare::district_of(centre).await?;
    let units = Units::on(centre.clock.today());
    let accounts = staff::accounts(centre, district).await?;
    say!();
    say!("open       {base_url}/");
    let today = centre.clock.today();
    say!("day        {}, in the evening", domain::date::vietnamese(today));
    for account in &accounts {
        say!(
            "sign in    {:<11} {:<13} {} ({})",
            account.login,
            account.password,
            account.role.code(),
            account.unit
        );
    }
    let mut conn = centre.db.read().await?;
    let path = units.path(district).context("the district's path")?;
    let waiting = work::waiting(&mut conn, &UnitScope::parse(&path)?).await?;
    drop(conn);
    for account in &accounts {
        let (page, what) = begin(account.login, account.role, &waiting);
        say!("begin      {:<11} {base_url}{page}  {what}", account.login);
    }
    receipts::print(&centre.place.data);
    say!("stop       Ctrl-C");
    Ok(())
}

/// The page where an account's work waits, and what waits there.
fn begin(login: &str, role: Role, waiting: &Waiting) -> (&'static str, String) {
    match role {
        Role::Commander => (
            "/tong-quan",
            format!(
                "{} communes that nobody has been to, {} boxes on their way",
                waiting.unserved_communes, waiting.boxes_under_way
            ),
        ),
        Role::Officer => ("/lich-moi", "who was invited in the commune, and who did not come".to_owned()),
        Role::Adjudicator if login == CONFIRMER => {
            ("/ho-so-xet", "confirms what a colleague proposed".to_owned())
        }
        Role::Adjudicator => ("/ho-so-xet", format!("{} open cases to decide", waiting.open_cases)),
        Role::Clerk => ("/phieu-loi", format!("{} rejected forms to correct", waiting.rejected_forms)),
        Role::Justice => ("/cai-chinh", "answers what it is asked to correct".to_owned()),
    }
}
