//! The index as a container: however it came to hold its records, it answers alike.

use linkage::{Decision, Index, Params, Record, Thresholds, decide, dedupe};

mod support;

#[test]
fn building_inserting_and_updating_agree() {
    let mut population = support::Population::new(3);
    let people = population.people(4_000);
    let queries: Vec<Record> = people.iter().step_by(9).map(|p| population.again(p, 0.3)).collect();
    let built = Index::build(people.clone());
    let mut grown = Index::new(Params::default());
    for person in &people {
        assert!(grown.insert(Record { full_name: "Ai Đó".into(), pin: None, ..person.clone() }));
    }
    for person in people.iter().rev() {
        assert!(grown.update(person.clone()));
    }
    assert_eq!((built.len(), grown.len()), (people.len(), people.len()));
    for query in &queries {
        assert_eq!(built.search(query), grown.search(query));
    }
}

#[test]
fn removed_records_are_gone_and_unknown_ones_change_nothing() {
    let mut population = support::Population::new(4);
    let people = population.people(3_000);
    let mut index = Index::build(people.clone());
    let gone = people[17].clone();
    let asked = Record { id: u128::MAX, ..gone.clone() };
    assert!(index.search(&asked).iter().any(|c| c.id == gone.id));
    assert!(index.remove(gone.id));
    assert!(!index.remove(gone.id));
    assert!(!index.update(gone.clone()));
    assert!(!index.contains(gone.id));
    assert_eq!(index.len(), people.len() - 1);
    assert!(index.search(&asked).iter().all(|c| c.id != gone.id));
    assert!(index.explain(&asked, gone.id).is_none());
    assert!(index.insert(gone.clone()));
    assert_eq!(index.search(&asked), Index::build(people).search(&asked));
}

#[test]
fn a_record_is_not_its_own_candidate() {
    let people = support::Population::new(5).people(500);
    let index = Index::build(people.clone());
    assert!(people.iter().all(|person| index.search(person).iter().all(|c| c.id != person.id)));
}

#[test]
fn candidates_carry_the_weight_that_explain_gives() {
    let mut population = support::Population::new(6);
    let people = population.people(2_000);
    let index = Index::build(people.clone());
    for person in people.iter().step_by(40) {
        let asked = population.again(person, 0.5);
        for candidate in index.search(&asked) {
            let explanation = index.explain(&asked, candidate.id).expect("candidates are in the index");
            assert_eq!(explanation.weight, candidate.weight);
            assert_eq!(explanation.levels, candidate.levels);
        }
    }
}

/// The promise on which everything rests, on 20,000 people whose relatives ask as well.
#[test]
fn nobody_is_linked_to_somebody_else() {
    let mut population = support::Population::new(11);
    let (strangers, register): (Vec<_>, Vec<_>) =
        population.people(22_000).into_iter().enumerate().partition(|(at, _)| at % 11 == 10);
    let register: Vec<Record> = register.into_iter().map(|(_, person)| person).collect();
    let index = Index::build(register.clone());
    let (mut linked, mut asked) = (0, 0);
    for person in register.iter().step_by(3) {
        let query = population.again(person, 0.3);
        asked += 1;
        match decide(&index.search(&query), Thresholds::default()) {
            Decision::Link(id) => {
                assert_eq!(id, person.id);
                linked += 1;
            }
            Decision::Review(_) | Decision::NoMatch => {}
        }
    }
    assert!(linked * 100 >= asked * 90, "{linked} of {asked}");
    for (_, person) in &strangers {
        let query = population.again(person, 0.3);
        assert!(!matches!(decide(&index.search(&query), Thresholds::default()), Decision::Link(_)));
    }
}

#[test]
fn dedupe_finds_planted_copies() {
    let mut population = support::Population::new(12);
    let mut people = population.people(10_000);
    let copies: Vec<Record> = people.iter().step_by(50).map(|p| population.again(p, 0.3)).collect();
    let truth: Vec<(u128, u128)> =
        people.iter().step_by(50).zip(&copies).map(|(person, copy)| (person.id, copy.id)).collect();
    people.extend(copies);
    let pairs = dedupe(&people, 0.5);
    let right = pairs.iter().filter(|pair| truth.contains(&(pair.a, pair.b))).count();
    assert!(right * 100 >= truth.len() * 97, "{right} of {}", truth.len());
    assert!(right * 100 >= pairs.len() * 95, "{right} of {} pairs", pairs.len());
    assert!(pairs.windows(2).all(|w| w[0].weight >= w[1].weight));
    people.reverse();
    assert_eq!(dedupe(&people, 0.5), pairs, "the order of the records does not matter");
}

/// Ten thousand equal records would be fifty million pairs: the blocks are skipped, and said to be.
#[test]
fn a_huge_block_costs_no_square() {
    let same =
        |id| Record { id, full_name: "Nguyễn Văn A".into(), birth_year: Some(1970), ..Record::default() };
    let index = Index::build_with(Params::for_dedupe(), (1..=10_000).map(same));
    let found = index.dedupe(0.0);
    assert_eq!((found.compared, found.skipped_blocks, found.skipped_entries), (0, 1, 10_000));
    assert!(index.search(&same(99_999)).is_empty());
}

/// 111111111 on thousands of forms is nobody's number.
#[test]
fn a_placeholder_number_joins_nobody() {
    let mut population = support::Population::new(8);
    let mut people = population.people(8_000);
    for person in people.iter_mut().step_by(4) {
        person.cmnd = Some(111_111_111);
    }
    let asking = people.split_off(7_000);
    let index = Index::build(people.clone());
    for person in asking {
        let found = index.search(&person);
        assert!(!matches!(decide(&found, Thresholds::default()), Decision::Link(_)));
        assert!(found.iter().all(|c| c.weight < 8.0));
    }
    // Who carries it is still found by all the rest, though it cannot outweigh a doubt.
    let person = &people[4];
    let weight = |cmnd| {
        let asked = Record { id: u128::MAX, pin: None, cmnd, ..person.clone() };
        index.explain(&asked, person.id).expect("in the index").weight
    };
    assert!(weight(Some(111_111_111)) < weight(None) + 4.0);
}
