//! `dancu campaign`: opened with its target, invited to, closed day by day.

use anyhow::{Result, bail};
use serde_json::{Value, json};
use time::Date;
use time::format_description::well_known::Rfc3339;

use crate::cli::Operator;
use crate::output::{self, Form, Table};
use centre::{Installation, Place};
use domain::clock::{day_in_vietnam, in_vietnam};
use domain::unit::Units;
use domain::{Deadline, UnitCode};
use plan::apply::Planned;
use plan::campaign::{self, Closed, Gaps, Invited, Invitee, Kits, Opened, Opening, Standing};
use store::plan::campaigns::{self as rows, CampaignRow, KitDays};
use ui::{say, terminal};

#[derive(Debug, Clone, clap::Subcommand)]
pub(crate) enum Command {
    /// Open a campaign: its target, the quotas of its communes, the kits' shifts, and the invitation of
    /// everyone eligible. Run again it changes nothing; without a kit before, it goes on with the plan.
    Open(OpenOptions),
    /// The campaigns, the newest first.
    List {
        #[command(flatten)]
        form: Form,
    },
    /// Where a campaign stands: its communes with quotas and invitations, its kits with days and seats.
    Show {
        /// The unit, by its code or name.
        #[arg(value_parser = crate::cli::unit)]
        unit: UnitCode,
        #[command(flatten)]
        form: Form,
    },
    /// The people invited for a day, by kit and time, as the teams' lists have them. Reading it is a row of
    /// the audit trail.
    Guests {
        /// The day (yyyy-mm-dd).
        #[arg(value_parser = crate::cli::date)]
        day: Date,
        /// The unit, by its code or name.
        #[arg(long, value_parser = crate::cli::unit)]
        unit: UnitCode,
        #[command(flatten)]
        form: Form,
        #[command(flatten)]
        operator: Operator,
    },
    /// Invite who became eligible or came into the register, and who missed an invitation.
    Invite {
        /// The unit, by its code or name.
        #[arg(value_parser = crate::cli::unit)]
        unit: UnitCode,
        /// By which day people must be old enough (yyyy-mm-dd); today when it is not given.
        #[arg(long, value_parser = crate::cli::date)]
        on: Option<Date>,
        /// Print one JSON document instead of lines.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: Operator,
    },
    /// Close a day: who applied has attended, the others who were invited missed it and are invited again.
    CloseDay {
        /// The day (yyyy-mm-dd).
        #[arg(value_parser = crate::cli::date)]
        day: Date,
        /// The unit, by its code or name.
        #[arg(long, value_parser = crate::cli::unit)]
        unit: UnitCode,
        /// Close it although captures of the day have not reached the centre.
        #[arg(long)]
        anyway: bool,
        /// Print one JSON document instead of lines.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        operator: Operator,
    },
}

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct OpenOptions {
    /// Province, district or commune, by its code or name.
    #[arg(long, value_parser = crate::cli::unit)]
    unit: UnitCode,
    /// The first day (yyyy-mm-dd); whoever is 14 then is invited.
    #[arg(long, value_parser = crate::cli::date)]
    from: Date,
    /// The date that the document names as the deadline (yyyy-mm-dd).
    #[arg(long, value_parser = crate::cli::date)]
    deadline: Date,
    /// The document says "trước", before that date: it does not count.
    #[arg(long, conflicts_with = "through", required_unless_present = "through")]
    before: bool,
    /// The document says "đến" or "đến hết", through that date: it counts.
    #[arg(long)]
    through: bool,
    /// How many cards; without it everyone eligible counts.
    #[arg(long, value_parser = terminal::count)]
    amount: Option<u32>,
    /// The names of the kits to plan with, in the order of the communes; without it all of the unit's.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    kits: Option<Vec<String>>,
    /// The document that sets the target.
    #[arg(long, default_value = "dancu campaign open")]
    document: String,
    /// Print one JSON document instead of lines.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    operator: Operator,
}

pub(crate) async fn run(place: &Place, command: &Command) -> Result<()> {
    let centre = Installation::open(place).await?;
    let units = Units::latest();
    match command {
        Command::Open(options) => open(&centre, options).await,
        Command::List { form } => list(&centre, *form).await,
        Command::Show { unit, form } => show(&centre, *unit, *form).await,
        Command::Guests { day, unit, form, operator } => {
            let campaign = find(&centre, *unit, *day).await?;
            let (by, now) = (operator.actor(&centre).await?, centre.clock.now());
            say_guests(&campaign::guests(&centre.db, &campaign, *day, &by, now).await?, *form)
        }
        Command::Invite { unit, on, json, operator } => {
            let today = today(&centre);
            let campaign = find(&centre, *unit, on.unwrap_or(today)).await?;
            let (by, now) = (operator.actor(&centre).await?, centre.clock.now());
            let invited =
                campaign::invite(&centre.db, units, &campaign, on.unwrap_or(today), &by, now).await?;
            say_invited(&invited, *json)
        }
        Command::CloseDay { day, unit, anyway, json, operator } => {
            let campaign = find(&centre, *unit, *day).await?;
            let (by, now) = (operator.actor(&centre).await?, centre.clock.now());
            let gaps = if *anyway { Gaps::Accept } else { Gaps::Refuse };
            let closed = campaign::close_day(&centre.db, units, &campaign, (*day, gaps), &by, now).await?;
            say_closed(*day, &closed, *json)
        }
    }
}

fn today(centre: &Installation) -> Date {
    day_in_vietnam(centre.clock.now())
}

async fn find(centre: &Installation, unit: UnitCode, on: Date) -> Result<CampaignRow> {
    let mut conn = centre.db.read().await?;
    Ok(campaign::find(&mut conn, Units::latest(), unit, on).await?)
}

async fn open(centre: &Installation, options: &OpenOptions) -> Result<()> {
    let units = Units::latest();
    let deadline =
        if options.before { Deadline::before(options.deadline) } else { Deadline::through(options.deadline) };
    let opening = Opening {
        unit: options.unit,
        starts_on: options.from,
        deadline,
        amount: options.amount.map(u64::from),
        kits: options.kits.clone().map_or(Kits::Registered, Kits::Named),
        source: options.document.clone(),
    };
    let (by, now) = (options.operator.actor(centre).await?, centre.clock.now());
    let Opened { is_new, areas, target, kits_needed, planned, kits } =
        campaign::open(&centre.db, units, &opening, &by, now).await?;
    let eligible: u64 = areas.iter().map(|area| u64::from(area.eligible)).sum();
    let is_repeat = !is_new && planned.is_none();
    if options.json {
        let planned = planned.map(|Planned { slots, seats, invited, unseated }| {
            json!({ "slots": slots, "seats": seats, "invited": invited, "unseated": unseated })
        });
        return output::print_json(&json!({
            "unit": options.unit, "from": options.from.to_string(),
            "last_day": deadline.last_day().to_string(),
            "opened": is_new, "repeated": is_repeat, "target": target.amount, "eligible": eligible,
            "communes": areas.len(), "kits_needed": kits_needed, "planned": planned,
            "kits": kits.iter().map(|kit| kit.name.as_str()).collect::<Vec<_>>(),
        }));
    }
    let name = units.told(options.unit);
    let word = if is_new { "opened" } else { "unchanged" };
    let (from, last) = (options.from, deadline.last_day());
    say!("{word:<10} the campaign of {name}: {from} to {last}, both days counted");
    let target = target.amount.unwrap_or_default();
    say!("target     {target} cards; {eligible} people of {} communes are eligible", areas.len());
    if let Some(Planned { slots, seats, invited, unseated }) = planned {
        say!("planned    {} kits, {slots} slots with {seats} seats", kits.len());
        say!("invited    {invited} people; {unseated} without a seat");
    }
    match kits.len() {
        0 => say!(
            "next       it needs {kits_needed} kits and none is registered there: `dancu kit add`, then this \
             command again"
        ),
        few if few < kits_needed => {
            say!("short      {kits_needed} kits would finish in time; the plan has {few}");
        }
        _ => {}
    }
    Ok(())
}

async fn list(centre: &Installation, form: Form) -> Result<()> {
    let mut conn = centre.db.read().await?;
    let campaigns = rows::all(&mut conn).await?;
    if campaigns.is_empty() && !form.json {
        say!("none       open one with `dancu campaign open`");
        return Ok(());
    }
    let mut table = Table::new("campaigns", &["unit", "name", "from", "last_day", "amount"]);
    for row in campaigns {
        table.push([
            row.unit.to_string().into(),
            Units::latest().full_name(row.unit).into(),
            row.starts_on.to_string().into(),
            row.deadline.last_day().to_string().into(),
            row.amount.into(),
        ]);
    }
    table.print(form)
}

async fn show(centre: &Installation, unit: UnitCode, form: Form) -> Result<()> {
    let units = Units::latest();
    let found = find(centre, unit, today(centre)).await?;
    let mut conn = centre.db.read().await?;
    let Standing { campaign, areas, kits } = campaign::standing(&mut conn, found).await?;
    let mut communes = Table::new(
        "communes",
        &["unit", "name", "residents", "eligible", "quota", "invited", "attended", "missed"],
    );
    let mut sums = [0i64; 6];
    for area in &areas {
        let counts =
            [area.count.residents, area.count.eligible, area.quota, area.invited, area.attended, area.missed];
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        let code = &area.count.unit_code;
        let name = code.parse().ok().and_then(|code| units.get(code)).map(|unit| unit.full_name());
        let [residents, eligible, quota, invited, attended, missed] = counts.map(Value::from);
        communes.push([
            code.clone().into(),
            name.into(),
            residents,
            eligible,
            quota,
            invited,
            attended,
            missed,
        ]);
    }
    let [residents, eligible, quota, invited, attended, missed] = sums.map(Value::from);
    communes.total(["all".into(), Value::Null, residents, eligible, quota, invited, attended, missed]);
    let mut stands =
        Table::new("kits", &["kit", "from", "to", "slots", "seats", "free", "served", "walk_ins"]);
    for KitDays { name, first_day, last_day, slots, seats, free, served, walk_ins, .. } in &kits {
        let days = (first_day.to_string().into(), last_day.to_string().into());
        let counts = [slots, seats, free, served, walk_ins].map(|count| Value::from(*count));
        let [slots, seats, free, served, walk_ins] = counts;
        stands.push([name.clone().into(), days.0, days.1, slots, seats, free, served, walk_ins]);
    }
    let (from, last) = (campaign.starts_on, campaign.deadline.last_day());
    if form.json {
        let mut document = json!({
            "unit": campaign.unit, "from": from.to_string(), "last_day": last.to_string(),
            "amount": campaign.amount, "opened_by": campaign.opened_by,
        });
        for part in [communes.as_json(), stands.as_json()] {
            let (Value::Object(into), Value::Object(part)) = (&mut document, part) else {
                bail!("a table is an object")
            };
            into.extend(part);
        }
        return output::print_json(&document);
    }
    say!("campaign   {}: {from} to {last}", units.told(campaign.unit));
    communes.print(form)?;
    say!("");
    if kits.is_empty() {
        say!("none       no kit is planned; `dancu kit add`, then `dancu campaign open` as before");
        return Ok(());
    }
    stands.print(form)
}

fn say_guests(guests: &[Invitee], form: Form) -> Result<()> {
    if form.json {
        let told = guests.iter().map(|Invitee { seat, kit, form, record }| {
            Ok(json!({
                "kit": kit, "at": seat.starts_at.format(&Rfc3339)?, "seat": seat.seat, "round": seat.round,
                "state": seat.state, "person": seat.person_id, "form": form,
                "record": serde_json::to_value(record)?,
            }))
        });
        return output::print_json(&json!({ "guests": told.collect::<Result<Vec<Value>>>()? }));
    }
    let mut table = Table::new("guests", &["kit", "at", "seat", "unit", "state", "person", "name"]);
    for Invitee { seat, kit, record, .. } in guests {
        table.push([
            kit.clone().into(),
            in_vietnam(seat.starts_at).format(&Rfc3339)?.into(),
            seat.seat.into(),
            record.permanent.unit.to_string().into(),
            seat.state.clone().into(),
            seat.person_id.to_string().into(),
            record.name.as_str().into(),
        ]);
    }
    table.print(form)
}

fn say_invited(&Invited { first, again, unseated }: &Invited, json: bool) -> Result<()> {
    if json {
        return output::print_json(&json!({ "first": first, "again": again, "unseated": unseated }));
    }
    say!("invited    {first} people for the first time, {again} again; {unseated} without a seat");
    Ok(())
}

fn say_closed(day: Date, closed: &Closed, json: bool) -> Result<()> {
    let Closed { attended, missed, late, again, unseated, unknown, unheard } = closed;
    let rows::Unknown { on_kits, unopened } = unknown;
    if json {
        return output::print_json(&json!({
            "day": day.to_string(), "attended": attended, "missed": missed, "late": late, "again": again,
            "unseated": unseated, "on_kits": on_kits, "unopened": unopened, "kits_without_report": unheard,
        }));
    }
    say!("closed     {day}: {attended} attended, {missed} missed; {late} of earlier days have applied since");
    say!("invited    {again} again; {unseated} without a seat");
    if on_kits + unopened > 0 {
        say!("open       {on_kits} captures on kits, {unopened} packets not opened");
    }
    Ok(())
}
