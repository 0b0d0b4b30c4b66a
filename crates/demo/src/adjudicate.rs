//! The adjudicators of the simulation. They decide the day after a case was opened, two of them, and know the
//! truth: what the demo measures is whether the right cases come before them.

use anyhow::{Context, Result};
use time::{Date, Time};

use crate::world::{World, application_id};
use centre::Centre;
use domain::Actor;
use domain::clock::VIETNAM;
use domain::id::{CaseId, PersonId};
use resolve::cases::{self, Act, Command, Decision};
use simulate::TruthId;
use store::UnitScope;
use store::report::scoring::{self, CaseRow};

/// What an applicant of the simulation shows who is accepted: all of them are who they say.
const PAPERS: &str = "Đã đối chiếu giấy tờ gốc, số MP-01 (dữ liệu mô phỏng)";

/// Decides every open case that was there when the day began: the first adjudicator proposes, the second
/// confirms.
pub async fn decide_open(
    centre: &Centre,
    world: &World,
    adjudicators: &[Actor; 2],
    day: Date,
) -> Result<usize> {
    let midnight = day.with_time(Time::MIDNIGHT).assume_offset(VIETNAM);
    let mut conn = centre.db.read().await?;
    let asked = scoring::cases(&mut conn, &UnitScope::everything(), midnight).await?;
    drop(conn);
    let mut decided = 0;
    for case in asked.iter().filter(|case| !case.decided) {
        let decision = judge(world, case);
        // Of some applications the fingers are in question, and whoever accepts them names the paper.
        let reason = matches!(decision, Decision::Link(_)).then_some(PAPERS);
        let acts = [Act::Propose(decision), Act::Confirm];
        for ((by, act), reason) in adjudicators.iter().zip(&acts).zip([reason, None]) {
            // A campaign that was interrupted between the two goes on with the second.
            let id =
                CaseId::derive(midnight, &[case.case_id.uuid().as_bytes(), act.kind().code().as_bytes()]);
            let command =
                Command { id: id.uuid(), case: case.case_id, by, seen: None, reason, at: centre.clock.now() };
            cases::act(&centre.db, &command, act)
                .await
                .with_context(|| format!("case {} of kind {}", case.case_id, case.kind))?;
        }
        decided += 1;
    }
    Ok(decided)
}

fn judge(world: &World, case: &CaseRow) -> Decision {
    let truth = |person: Option<PersonId>| person.and_then(|person| world.by_person.get(&person)).copied();
    let (one, other) = (truth(case.person_id), truth(case.other_person_id));
    let Some(application) = case.application_id else {
        return if one.is_some() && one == other { Decision::SamePerson } else { Decision::Different };
    };
    let Some(&(who, number)) = world.by_application.get(&application) else {
        return Decision::Reject("unknown_applicant".to_owned());
    };
    let is_theirs = |found: Option<TruthId>| found == Some(who);
    let first = application_id(world.seed, who, 1);
    match case.person_id.filter(|_| is_theirs(one)).or(case.other_person_id.filter(|_| is_theirs(other))) {
        _ if number == 2 && case.other_application_id == Some(first) => Decision::SamePerson,
        _ if number == 2 => Decision::Reject("second_application".to_owned()),
        Some(person) => Decision::Link(person),
        // The record is not among the candidates; the applicant is sent to have a population form filled in
        // first.
        None => Decision::Reject("not_in_register".to_owned()),
    }
}
