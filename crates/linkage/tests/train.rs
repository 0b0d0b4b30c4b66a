//! Learning without labels finds the rates that the population was made with.

use linkage::{BirthLevel, Decision, Index, Params, Record, SexLevel, Thresholds, decide, train};

mod support;

fn register(size: usize) -> (support::Population, Vec<Record>) {
    let mut population = support::Population::new(21);
    let mut people = population.people(size);
    let copies: Vec<Record> = people.iter().step_by(10).map(|p| population.again(p, 0.3)).collect();
    people.extend(copies);
    (population, people)
}

/// Rates far from the truth to start from: a third of all matched dates and sexes wrong.
fn blurred() -> Params {
    let mut params = Params::default();
    params.birth[BirthLevel::Exact as usize].matched = 0.5;
    params.sex[SexLevel::Implied as usize].matched = 0.8;
    params.sex[SexLevel::Different as usize].matched = 0.2;
    params.native_place[2].matched = 0.5;
    params
}

#[test]
fn rates_are_recovered() {
    let (_, people) = register(20_000);
    let training = train(&people, &blurred());
    // One in ten people has a copy; whole families have, on average, three children.
    assert!((0.02..0.25).contains(&training.family_matched), "{}", training.family_matched);
    assert!(training.person_matched > 0.8, "{}", training.person_matched);
    let params = &training.params;
    let exact = params.birth[BirthLevel::Exact as usize];
    assert!((0.80..0.96).contains(&exact.matched), "{exact:?}");
    assert!(exact.kin < 0.05, "{exact:?}");
    assert!(params.sex[SexLevel::Different as usize].matched < 0.02, "{:?}", params.sex);
    assert!(params.native_place[2].matched > 0.95, "{:?}", params.native_place);
    let sum: f64 = params.birth[1..].iter().map(|rates| rates.matched).sum();
    assert!((sum - 1.0).abs() < 1e-9);
    assert_eq!(train(&people, &blurred()), training, "learning is deterministic");
}

#[test]
fn learnt_parameters_link_no_strangers() {
    let (mut population, people) = register(12_000);
    let params = train(&people, &Params::default()).params;
    let (asking, register) = people[..12_000].split_at(2_000);
    let index = Index::build_with(params, register);
    for person in asking {
        let query = population.again(person, 0.3);
        assert!(!matches!(decide(&index.search(&query), Thresholds::default()), Decision::Link(_)));
    }
    let linked = register.iter().step_by(7).filter(|person| {
        let query = population.again(person, 0.3);
        decide(&index.search(&query), Thresholds::default()) == Decision::Link(person.id)
    });
    assert!(linked.count() > register.len() / 7 * 85 / 100);
}

#[test]
fn too_little_to_learn_from_changes_nothing() {
    let people = support::Population::new(2).people(50);
    assert_eq!(train(&people, &Params::default()).params, Params::default());
}
