//! The levels at which two records can agree in a field. The codes are stable: they are stored for audit.

/// What is compared, in the order of the waterfall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// How likely a match is before anything is compared.
    Prior,
    Pin,
    Cmnd,
    /// Both parents' names together, since siblings share both.
    Parents,
    NativePlace,
    BirthProvince,
    Ethnicity,
    Residence,
    Birth,
    Name,
    Sex,
}

impl Field {
    /// Stable code for storage and translation.
    pub fn code(self) -> &'static str {
        match self {
            Field::Prior => "prior",
            Field::Pin => "pin",
            Field::Cmnd => "cmnd",
            Field::Parents => "parents",
            Field::NativePlace => "native_place",
            Field::BirthProvince => "birth_province",
            Field::Ethnicity => "ethnicity",
            Field::Residence => "residence",
            Field::Birth => "birth",
            Field::Name => "name",
            Field::Sex => "sex",
        }
    }
}

/// Declares an enum of levels with their stable codes, so that the two lists cannot drift apart.
macro_rules! levels {
    ($(#[$doc:meta])* $name:ident { $($(#[$level_doc:meta])* $level:ident = $code:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$level_doc])* $level,)+ }

        impl $name {
            /// In the order in which the field's rates stand in a table.
            pub const ALL: &[$name] = &[$($name::$level,)+];
            /// How many levels the field has, for tables of rates.
            pub const COUNT: usize = $name::ALL.len();

            /// Stable code for storage and translation.
            pub fn code(self) -> &'static str {
                match self { $($name::$level => $code,)+ }
            }
        }
    };
}

levels! {
    /// A name against a name. "Given" levels touch the last word: twins and siblings differ there too.
    NameLevel {
        Missing = "missing",
        Exact = "exact",
        /// "Hoà" and "Hòa": the same name, the tone written on another vowel.
        TonePlacement = "tone_placement",
        /// One side has no diacritics where the other has.
        DiacriticsLost = "diacritics_lost",
        /// Different diacritics, not in the given name.
        Diacritics = "diacritics",
        /// Hùng and Hưng.
        DiacriticsGiven = "diacritics_given",
        /// Spelled as another region pronounces it, not in the given name.
        Dialect = "dialect",
        DialectGiven = "dialect_given",
        /// Huỳnh and Hoàng, Vũ and Võ; all other words agree.
        SurnameVariant = "surname_variant",
        /// The same words in another order.
        Order = "order",
        /// One side lacks one or more middle names.
        MiddleMissing = "middle_missing",
        /// One keystroke, not in the given name.
        Typo = "typo",
        TypoGiven = "typo_given",
        /// Surname and given name agree, the middle names contradict.
        MiddleDifferent = "middle_different",
        /// All but the given name agree, as among siblings.
        GivenDifferent = "given_different",
        GivenOnly = "given_only",
        SurnameOnly = "surname_only",
        Different = "different",
    }
}

impl NameLevel {
    /// The two names cannot be two spellings of one.
    pub fn contradicts(self) -> bool {
        matches!(
            self,
            NameLevel::GivenDifferent | NameLevel::GivenOnly | NameLevel::SurnameOnly | NameLevel::Different
        )
    }
}

levels! {
    BirthLevel {
        /// At least one side has no year.
        Missing = "missing",
        Exact = "exact",
        /// Both 01/01 of one year: the form's way of saying that only the year is known.
        ExactDefault = "exact_default",
        /// Day and month exchanged.
        Swapped = "swapped",
        /// One side lacks day or month; all that is known agrees.
        Partial = "partial",
        /// One side is 01/01 of the same year.
        Default = "default",
        /// One digit of day or month differs.
        OneDigit = "one_digit",
        /// Day and month agree, the years are neighbours.
        YearOff = "year_off",
        /// Day and month agree, one digit of the year differs or two are exchanged.
        YearDigit = "year_digit",
        /// Only years are known to compare and they are neighbours.
        PartialNear = "partial_near",
        /// The year and either the day or the month agree.
        OnePart = "one_part",
        SameYear = "same_year",
        SameDayMonth = "same_day_month",
        /// One to four years apart.
        Near = "near",
        /// Sixteen to fifty years apart, as parent and child.
        Generation = "generation",
        Different = "different",
    }
}

impl BirthLevel {
    /// The two dates cannot be two writings of one.
    pub fn contradicts(self) -> bool {
        matches!(
            self,
            BirthLevel::SameYear
                | BirthLevel::SameDayMonth
                | BirthLevel::Near
                | BirthLevel::Generation
                | BirthLevel::Different
        )
    }
}

levels! {
    SexLevel {
        Missing = "missing",
        Same = "same",
        /// The same, but an agreeing name says so already (Thị, Văn).
        Implied = "implied",
        Different = "different",
    }
}

levels! {
    NumberLevel {
        Missing = "missing",
        Equal = "equal",
        /// One digit differs or two neighbours are exchanged.
        OneTypo = "one_typo",
        Different = "different",
    }
}

levels! {
    /// One parent's name; the two are weighed together.
    ParentLevel {
        Missing = "missing",
        Same = "same",
        Similar = "similar",
        Different = "different",
    }
}

levels! {
    PlaceLevel {
        Missing = "missing",
        /// The same commune and the same address line (residence only).
        Address = "address",
        Commune = "commune",
        District = "district",
        Province = "province",
        Different = "different",
    }
}

levels! {
    EqualityLevel {
        Missing = "missing",
        Same = "same",
        /// The same, but another agreeing field says so already.
        Implied = "implied",
        Different = "different",
    }
}

/// The comparison vector of a pair: what an appeal needs, together with the version of the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Levels {
    pub pin: NumberLevel,
    pub cmnd: NumberLevel,
    pub father: ParentLevel,
    pub mother: ParentLevel,
    pub native_place: PlaceLevel,
    pub birth_province: EqualityLevel,
    pub ethnicity: EqualityLevel,
    pub residence: PlaceLevel,
    /// Residence agrees, but family or native place explain it.
    pub residence_explained: bool,
    pub birth: BirthLevel,
    pub name: NameLevel,
    pub sex: SexLevel,
}

impl Levels {
    /// "same/different": father first.
    pub(crate) fn parents_code(&self) -> &'static str {
        use ParentLevel::{Different as D, Missing as M, Same as S, Similar as L};
        match (self.father, self.mother) {
            (M, M) => "missing/missing",
            (M, S) => "missing/same",
            (M, L) => "missing/similar",
            (M, D) => "missing/different",
            (S, M) => "same/missing",
            (S, S) => "same/same",
            (S, L) => "same/similar",
            (S, D) => "same/different",
            (L, M) => "similar/missing",
            (L, S) => "similar/same",
            (L, L) => "similar/similar",
            (L, D) => "similar/different",
            (D, M) => "different/missing",
            (D, S) => "different/same",
            (D, L) => "different/similar",
            (D, D) => "different/different",
        }
    }
}
