//! Who lives together: the members of one household, their ages and how they are related, before anyone has a
//! name.
//!
//! Children come first: the age of the youngest, then the spacing, then the mother's age at her first birth.
//! Ages of parents and grandparents follow, so that no mother is younger than 18 or older than 46 at a birth,
//! whatever is drawn.

use crate::stream::Stream;
use domain::Sex;

/// A member while the household is put together; the indices are positions in the same household.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub sex: Sex,
    /// Days lived on the day of the count.
    pub age_days: i32,
    pub relation: Relation,
    pub father: Option<usize>,
    pub mother: Option<usize>,
    pub spouse: Option<usize>,
    /// The first-born of the same delivery.
    pub twin_of: Option<usize>,
    pub marital: u8,
}

/// Codes of `relations-to-head.csv`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    Head = 1,
    Spouse = 2,
    Child = 3,
    ChildInLaw = 4,
    Parent = 5,
    ParentInLaw = 6,
    Grandchild = 8,
}

pub(super) const NEVER_MARRIED: u8 = 1;
pub(super) const MARRIED: u8 = 2;
pub(super) const DIVORCED_OR_WIDOWED: u8 = 3;

const YEAR: i32 = 365;

/// Draws a household of `size` (two to seven) members; the head comes first.
pub(super) fn draw(stream: &mut Stream, size: usize, twin_rate: f64) -> Vec<Member> {
    let elders = match size {
        2 => 0,
        3 => stream.weighted(&[91, 9]),
        4 => stream.weighted(&[76, 16, 8]),
        5 => stream.weighted(&[48, 32, 20]),
        6 => stream.weighted(&[38, 30, 32]),
        _ => stream.weighted(&[33, 30, 37]),
    };
    let single_share = if size == 2 { 0.36 } else { 0.07 };
    let adults = if stream.chance(single_share) { 1 } else { 2 };
    let children = size - elders - adults;

    let ages = child_ages(stream, children, elders > 0, twin_rate);
    let mother_age = match ages.first() {
        Some(oldest) => mother_age(stream, oldest.0, ages.last().map_or(0, |youngest| youngest.0)),
        None if elders > 0 => stream.between(21 * YEAR, 50 * YEAR),
        None if stream.chance(0.25) => stream.between(20 * YEAR, 36 * YEAR),
        None => stream.between(50 * YEAR, 84 * YEAR),
    };
    let father_age = (mother_age + stream.between(-2 * YEAR, 7 * YEAR)).max(20 * YEAR);

    let mut home = Home { members: Vec::with_capacity(size) };
    let couple = home.add_couple(stream, adults == 2, father_age, mother_age);
    for (age_days, twin) in ages {
        home.add_child(stream, couple, age_days, twin);
    }
    let anchor = home.add_elders(stream, couple, elders);
    home.seat_head(stream, couple, anchor, elders)
}

/// Ages in days, oldest first; `true` marks the second of twins.
fn child_ages(stream: &mut Stream, count: usize, with_elders: bool, twin_rate: f64) -> Vec<(i32, bool)> {
    if count == 0 {
        return Vec::new();
    }
    // Weights of the youngest child's age in bands of four years; grown-up children leave, or bring their own
    // household.
    let bands: &[u32] = if with_elders {
        &[28, 26, 22, 15, 9]
    } else if count == 1 {
        &[15, 12, 12, 12, 12, 12, 11, 8, 6]
    } else {
        &[21, 20, 18, 15, 11, 8, 5, 2]
    };
    let mut age = (stream.weighted(bands) as i32) * 4 * YEAR + stream.between(0, 4 * YEAR - 1);
    let mut ages = vec![(age, false)];
    // A household with one child has no room for twins, so the others have more: 2.3 is the share of
    // deliveries with room; the constant is our estimate, held by a test to 0.85–1.35% of deliveries at
    // 200,000 people.
    let twin_chance = (twin_rate * 2.3).min(1.0);
    while ages.len() < count {
        if !ages[ages.len() - 1].1 && stream.chance(twin_chance) {
            ages.push((age, true));
            continue;
        }
        age += if count > 3 { stream.between(430, 1000) } else { stream.between(480, 2100) };
        ages.push((age, false));
    }
    // The twin mark must stand on the later of the two entries once the oldest comes first; both have one
    // age.
    ages.reverse();
    let mut index = 1;
    while index < ages.len() {
        if ages[index - 1].1 {
            ages.swap(index - 1, index);
            index += 1;
        }
        index += 1;
    }
    ages
}

fn mother_age(stream: &mut Stream, oldest: i32, youngest: i32) -> i32 {
    let latest_first_birth = (46 * YEAR - (oldest - youngest)).clamp(20 * YEAR, 34 * YEAR);
    let first_birth =
        stream.between(18 * YEAR + 200, latest_first_birth).min(stream.between(20 * YEAR, 34 * YEAR));
    oldest + first_birth.max(18 * YEAR + 200)
}

#[derive(Clone, Copy)]
struct Couple {
    father: Option<usize>,
    mother: Option<usize>,
}

struct Home {
    members: Vec<Member>,
}

impl Home {
    fn add(&mut self, sex: Sex, age_days: i32, marital: u8) -> usize {
        self.members.push(Member {
            sex,
            age_days,
            relation: Relation::Child,
            father: None,
            mother: None,
            spouse: None,
            twin_of: None,
            marital,
        });
        self.members.len() - 1
    }

    fn marry(&mut self, one: usize, other: usize) {
        self.members[one].spouse = Some(other);
        self.members[other].spouse = Some(one);
    }

    fn add_couple(&mut self, stream: &mut Stream, both: bool, father_age: i32, mother_age: i32) -> Couple {
        if both {
            let father = self.add(Sex::Male, father_age, MARRIED);
            let mother = self.add(Sex::Female, mother_age, MARRIED);
            self.marry(father, mother);
            return Couple { father: Some(father), mother: Some(mother) };
        }
        let marital = [DIVORCED_OR_WIDOWED, MARRIED, NEVER_MARRIED][stream.weighted(&[70, 18, 12])];
        if stream.chance(0.8) {
            Couple { father: None, mother: Some(self.add(Sex::Female, mother_age, marital)) }
        } else {
            Couple { father: Some(self.add(Sex::Male, father_age, marital)), mother: None }
        }
    }

    /// 111 boys are born for 100 girls; twins are of one sex in two cases of three.
    fn add_child(&mut self, stream: &mut Stream, couple: Couple, age_days: i32, twin: bool) {
        let elder = self.members.len() - 1;
        let sex = if twin && stream.chance(0.66) {
            self.members[elder].sex
        } else if stream.chance(0.526) {
            Sex::Male
        } else {
            Sex::Female
        };
        let divorced = age_days > 30 * YEAR && stream.chance(0.1);
        let marital = if divorced { DIVORCED_OR_WIDOWED } else { NEVER_MARRIED };
        let child = self.add(sex, age_days, marital);
        self.members[child].father = couple.father;
        self.members[child].mother = couple.mother;
        self.members[child].twin_of = twin.then_some(elder);
    }

    /// Adds the parents of one of the couple, usually of the man, and returns whose parents they are.
    fn add_elders(&mut self, stream: &mut Stream, couple: Couple, count: usize) -> Option<usize> {
        if count == 0 {
            return None;
        }
        let of_man = stream.chance(0.72);
        let anchor = match (couple.father, couple.mother) {
            (Some(father), Some(mother)) => {
                if of_man {
                    father
                } else {
                    mother
                }
            }
            (Some(one), None) | (None, Some(one)) => one,
            (None, None) => return None,
        };
        let anchor_age = self.members[anchor].age_days;
        let most = (96 * YEAR - anchor_age).clamp(20 * YEAR, 36 * YEAR);
        let woman_age = anchor_age + stream.between(19 * YEAR, most);
        let man_age = (woman_age + stream.between(-2 * YEAR, 6 * YEAR)).max(anchor_age + 18 * YEAR);
        if count == 2 {
            let man = self.add(Sex::Male, man_age, MARRIED);
            let woman = self.add(Sex::Female, woman_age, MARRIED);
            self.marry(man, woman);
            self.members[anchor].father = Some(man);
            self.members[anchor].mother = Some(woman);
        } else if stream.chance(0.75) {
            self.members[anchor].mother = Some(self.add(Sex::Female, woman_age, DIVORCED_OR_WIDOWED));
        } else {
            self.members[anchor].father = Some(self.add(Sex::Male, man_age, DIVORCED_OR_WIDOWED));
        }
        Some(anchor)
    }

    /// Chooses the head, states everyone's relation to the head, and brings the head to the front.
    fn seat_head(
        mut self,
        stream: &mut Stream,
        couple: Couple,
        anchor: Option<usize>,
        elders: usize,
    ) -> Vec<Member> {
        let first_elder = self.members.len() - elders;
        let elder_leads = elders > 0 && stream.chance(0.35);
        let man_leads = stream.chance(0.74);
        let head = if elder_leads {
            first_elder
        } else {
            match (couple.father, couple.mother) {
                (Some(father), Some(mother)) => {
                    if man_leads {
                        father
                    } else {
                        mother
                    }
                }
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => 0,
            }
        };
        for index in 0..self.members.len() {
            let is_couple = Some(index) == couple.father || Some(index) == couple.mother;
            self.members[index].relation = if index == head {
                Relation::Head
            } else if self.members[head].spouse == Some(index) {
                Relation::Spouse
            } else if index >= first_elder {
                if anchor == Some(head) { Relation::Parent } else { Relation::ParentInLaw }
            } else if is_couple {
                if anchor == Some(index) { Relation::Child } else { Relation::ChildInLaw }
            } else if elder_leads {
                Relation::Grandchild
            } else {
                Relation::Child
            };
        }
        self.bring_to_front(head)
    }

    fn bring_to_front(mut self, head: usize) -> Vec<Member> {
        let moved = |index: usize| match index {
            index if index == head => 0,
            0 => head,
            index => index,
        };
        self.members.swap(0, head);
        for member in &mut self.members {
            for link in [&mut member.father, &mut member.mother, &mut member.spouse, &mut member.twin_of] {
                *link = link.map(moved);
            }
        }
        self.members
    }
}
