//! From pairs to people.

use crate::batch::RowPair;
use crate::batch::register::Register;
use crate::birth;

/// A person's records are compared each with each before two groups become one; beyond this many they stay
/// apart.
const MOST_MEMBERS: usize = 32;

/// For each row the smallest row of its person. Pairs are joined likeliest first from `min_probability` on;
/// two groups stay apart if any record of one contradicts any record of the other in date of birth or sex,
/// because a chain of likely pairs may lead from one sibling to the next.
pub fn clusters(register: &Register, pairs: &[RowPair], min_probability: f64) -> Vec<u32> {
    let mut order: Vec<&RowPair> = pairs.iter().filter(|pair| pair.probability >= min_probability).collect();
    order.sort_by(|x, y| y.weight.total_cmp(&x.weight).then((x.left, x.right).cmp(&(y.left, y.right))));
    let mut first: Vec<u32> = (0..register.len() as u32).collect();
    let mut members: std::collections::HashMap<u32, Vec<u32>> = std::collections::HashMap::new();
    for pair in order {
        let (x, y) = (first[pair.left as usize], first[pair.right as usize]);
        if x == y {
            continue;
        }
        let (keep, join) = (x.min(y), x.max(y));
        let of = |row: u32| members.get(&row).cloned().unwrap_or_else(|| vec![row]);
        let (mut kept, joined) = (of(keep), of(join));
        let direct = |a: u32, b: u32| (a, b) == (pair.left, pair.right) || (b, a) == (pair.left, pair.right);
        let conflict =
            kept.iter().any(|&a| joined.iter().any(|&b| !direct(a, b) && contradict(register, a, b)));
        if conflict || kept.len() + joined.len() > MOST_MEMBERS {
            continue;
        }
        for &row in &joined {
            first[row as usize] = keep;
        }
        kept.extend(joined);
        members.remove(&join);
        members.insert(keep, kept);
    }
    first
}

fn contradict(register: &Register, a: u32, b: u32) -> bool {
    let (a, b) = (register.facts(a), register.facts(b));
    let sexes = a.sex().zip(b.sex()).is_some_and(|(x, y)| x != y);
    sexes || birth::compare(a.birth, b.birth).contradicts()
}
