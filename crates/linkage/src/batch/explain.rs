//! A pair of a file as a waterfall.

use crate::batch::evidence::shares;
use crate::batch::register::Register;
use crate::batch::trained::{
    BIRTH, BIRTH_PROVINCE, ClassRates, ETHNICITY, FAMILY, NAME, NATIVES, RESIDENCE, SEX, SILENT, Trained,
    family_parts, native_part, vector, weight,
};
use crate::compare::compare;
use crate::level::Field;
use crate::model::{Explanation, FieldWeight, probability};

impl Register {
    /// Why two records have the weight that `Linker::pairs` gives them; the fields' weights sum to it.
    /// Parents and native place are one comparison: the native place shows what it adds to the parents.
    pub fn explain(&self, trained: &Trained, left: u32, right: u32) -> Explanation {
        let (a, b) = (self.side(left), self.side(right));
        let comparison = compare(&a, &b);
        let levels = comparison.levels;
        let vector = vector(&levels);
        let shares = shares(&self.frequencies, trained, &a, &b, &comparison);
        let family = usize::from(vector[FAMILY]);
        let (parents, native) = parents_then_native(trained, family);
        let rates = |field: usize, share: f64| {
            let rates = trained.tables[field][usize::from(vector[field])];
            ClassRates { unrelated: rates.unrelated * share, ..rates }
        };
        let with = |rates: ClassRates, share: f64| ClassRates { unrelated: rates.unrelated * share, ..rates };
        let native_code = ["missing", "commune", "near", "different"][native_part(levels.native_place)];
        let residence_code = if levels.residence_explained { "explained" } else { levels.residence.code() };
        let steps = [
            (Field::Parents, levels.parents_code(), with(parents, shares.parents)),
            (Field::NativePlace, native_code, with(native, shares.native)),
            (
                Field::BirthProvince,
                levels.birth_province.code(),
                rates(BIRTH_PROVINCE, shares.birth_province),
            ),
            (Field::Ethnicity, levels.ethnicity.code(), rates(ETHNICITY, shares.ethnicity)),
            (Field::Residence, residence_code, rates(RESIDENCE, shares.residence)),
            (Field::Birth, levels.birth.code(), rates(BIRTH, shares.birth)),
            (Field::Name, levels.name.code(), rates(NAME, shares.name)),
            (Field::Sex, levels.sex.code(), rates(SEX, 1.0)),
        ];
        let mut joint = trained.prior(self.len() as f64, self.pairs_in_question());
        let mut sum = weight(joint);
        let mut fields = vec![FieldWeight { field: Field::Prior, level: "prior", weight: sum }];
        for (field, level, rates) in steps {
            joint = joint.times(rates);
            let now = weight(joint);
            fields.push(FieldWeight { field, level, weight: now - sum });
            sum = now;
        }
        Explanation { weight: sum, probability: probability(sum), fields, levels }
    }
}

/// The family's rates as the parents' alone, and what the native place multiplies them by.
fn parents_then_native(trained: &Trained, family: usize) -> (ClassRates, ClassRates) {
    let (_, _, native) = family_parts(family);
    let table = &trained.tables[FAMILY];
    let whole = table[family];
    if native == 0 {
        return (whole, SILENT);
    }
    let first = family - native;
    let sum = |pick: fn(&ClassRates) -> f64| (1..NATIVES).map(|part| pick(&table[first + part])).sum::<f64>();
    let parents = ClassRates {
        clean: sum(|rates| rates.clean),
        damaged: sum(|rates| rates.damaged),
        kin: sum(|rates| rates.kin),
        twin: sum(|rates| rates.twin),
        unrelated: 1.0,
    };
    let native = ClassRates {
        clean: whole.clean / parents.clean,
        damaged: whole.damaged / parents.damaged,
        kin: whole.kin / parents.kin,
        twin: whole.twin / parents.twin,
        unrelated: whole.unrelated,
    };
    (parents, native)
}
