//! A small seeded population of families, and the slips that paper and people make. Everyone is invented.
#![allow(dead_code, reason = "each test program and the example use a part")]

use linkage::{Place, Record, Sex};

/// SplitMix64: enough for test data, the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub fn chance(&mut self, p: f64) -> bool {
        (self.next() >> 11) as f64 / ((1u64 << 53) as f64) < p
    }

    /// Squaring the draw makes early entries commoner, as names are.
    pub fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let x = (self.next() >> 11) as f64 / ((1u64 << 53) as f64);
        from[(x * x * from.len() as f64) as usize]
    }
}

const SURNAMES: &[(&str, u64)] = &[
    ("Nguyễn", 384),
    ("Trần", 110),
    ("Lê", 95),
    ("Phạm", 71),
    ("Huỳnh", 26),
    ("Hoàng", 26),
    ("Phan", 45),
    ("Vũ", 20),
    ("Võ", 19),
    ("Đặng", 21),
    ("Bùi", 20),
    ("Đỗ", 14),
    ("Hồ", 13),
    ("Ngô", 13),
    ("Dương", 10),
    ("Lý", 5),
    ("Đinh", 20),
    ("Mai", 15),
    ("Trương", 20),
    ("Đoàn", 15),
    ("Cao", 12),
    ("Tạ", 8),
    ("Thái", 8),
    ("Lương", 10),
];
const MALE: &[&str] = &[
    "Hùng",
    "Dũng",
    "Tuấn",
    "Minh",
    "Nam",
    "Hải",
    "Sơn",
    "Long",
    "Hưng",
    "Hòa",
    "Bình",
    "Thắng",
    "Quang",
    "Trung",
    "Đức",
    "Thành",
    "Tâm",
    "Phúc",
    "Cường",
    "Toàn",
    "Khánh",
    "Hiếu",
    "Vinh",
    "Lâm",
    "Tùng",
    "Kiên",
    "Phong",
    "An",
    "Bảo",
    "Quân",
    "Việt",
    "Thịnh",
    "Đạt",
    "Hoàn",
    "Trường",
    "Sáng",
    "Chiến",
    "Lợi",
    "Tài",
    "Ngọc",
    "Huy",
    "Khoa",
    "Nghĩa",
    "Hậu",
    "Duy",
    "Anh",
    "Định",
    "Tiến",
    "Thuận",
    "Luân",
];
const FEMALE: &[&str] = &[
    "Hương", "Lan", "Hoa", "Mai", "Hà", "Thảo", "Linh", "Hằng", "Nga", "Thủy", "Hạnh", "Yến", "Loan",
    "Phương", "Dung", "Huyền", "Trang", "Ngân", "Thu", "Oanh", "Liên", "Nhung", "Tâm", "Vân", "Hiền", "Hồng",
    "Xuân", "Bích", "Ánh", "Diệp", "Thúy", "Quyên", "Trâm", "My", "Chi", "Giang", "Tuyết", "Cúc", "Đào",
    "Sen", "Lý", "Anh", "Ngọc", "Nhi", "Thư", "Uyên", "Hoài", "Kiều", "Minh", "Thanh",
];
const MALE_MIDDLE: &[&str] = &[
    "Văn", "Văn", "Văn", "Đức", "Minh", "Quang", "Hữu", "Xuân", "Đình", "Ngọc", "Anh", "Công", "Trọng",
    "Thanh",
];
const FEMALE_MIDDLE: &[&str] = &[
    "Thị",
    "Thị",
    "Thị",
    "Thị Thu",
    "Thị Thanh",
    "Ngọc",
    "Thu",
    "Thị Hồng",
    "Minh",
    "Thanh",
    "Thị Kim",
    "Bích",
];

pub struct Population {
    pub random: Random,
    next_id: u128,
    pin_tail: u64,
}

impl Population {
    pub fn new(seed: u64) -> Population {
        Population { random: Random(seed), next_id: 1, pin_tail: 0 }
    }

    fn surname(&mut self) -> String {
        let total: u64 = SURNAMES.iter().map(|s| s.1).sum();
        let mut at = self.random.below(total);
        for (name, share) in SURNAMES {
            if at < *share {
                return name.to_string();
            }
            at -= share;
        }
        "Nguyễn".into()
    }

    fn name(&mut self, surname: &str, sex: Sex) -> String {
        let (middle, given) = match sex {
            Sex::Male => (self.random.pick(MALE_MIDDLE), self.random.pick(MALE)),
            Sex::Female => (self.random.pick(FEMALE_MIDDLE), self.random.pick(FEMALE)),
        };
        match self.random.below(20) {
            0 => format!("{surname} {given}"),
            _ => format!("{surname} {middle} {given}"),
        }
    }

    fn person(&mut self, name: String, sex: Sex, year: u16, place: Place) -> Record {
        let r = &mut self.random;
        let (day, month) = if r.chance(if year < 1965 { 0.2 } else { 0.02 }) {
            (1, 1)
        } else {
            (1 + r.below(28) as u8, 1 + r.below(12) as u8)
        };
        self.next_id += 1;
        self.pin_tail = (self.pin_tail + 7_919) % 1_000_000;
        let century = if year < 2000 { 0 } else { 2 } + u64::from(sex == Sex::Female);
        let pin =
            42 * 1_000_000_000 + century * 100_000_000 + u64::from(year % 100) * 1_000_000 + self.pin_tail;
        Record {
            id: self.next_id,
            full_name: name,
            sex: Some(sex),
            birth_day: Some(day),
            birth_month: Some(month),
            birth_year: Some(year),
            ethnicity: Some(if r.chance(0.97) { 1 } else { 2 }),
            birth_province: Some(42),
            native_place: Some(place),
            residence: Some(place),
            address_line: Some(format!("Thôn {}, số {}", 1 + r.below(8), 1 + r.below(300))),
            pin: r.chance(0.7).then_some(pin),
            cmnd: (year < 2005 && r.chance(0.8)).then(|| 183_000_000 + r.below(4_000_000)),
            ..Record::default()
        }
    }

    /// About `size` people in whole families: couples, their children, twins at 1.1 % of births.
    pub fn people(&mut self, size: usize) -> Vec<Record> {
        let mut all = Vec::with_capacity(size + 8);
        while all.len() < size {
            self.family(size, &mut all);
        }
        all.truncate(size);
        all
    }

    fn family(&mut self, size: usize, all: &mut Vec<Record>) {
        let communes = (size as u64 / 6_000).clamp(10, 300);
        let commune = self.random.below(communes);
        let place = Place::new(42, 430 + (commune / 15) as u16, 18_000 + commune as u32)
            .expect("the codes are inside the official ranges");
        let year = 1940 + self.random.below(45) as u16;
        let (his, hers) = (self.surname(), self.surname());
        let father = self.name(&his, Sex::Male);
        // Some give the son their own name.
        let names_son = self.random.chance(0.002);
        let mother = self.name(&hers, Sex::Female);
        for (surname, name, sex) in [(&his, &father, Sex::Male), (&hers, &mother, Sex::Female)] {
            let born = year + self.random.below(6) as u16;
            let mut parent = self.person(name.clone(), sex, born, place);
            parent.father_name = Some(self.name(surname, Sex::Male));
            let maternal = self.surname();
            parent.mother_name = Some(self.name(&maternal, Sex::Female));
            all.push(parent);
        }
        let address = all[all.len() - 1].address_line.clone();
        let mut born = year + 20 + self.random.below(8) as u16;
        let mut siblings: Vec<String> = Vec::new();
        for child in 0..self.random.below(5) {
            let sex = if self.random.chance(0.51) { Sex::Male } else { Sex::Female };
            let (name, sex) = match () {
                () if names_son && child == 0 => (father.clone(), Sex::Male),
                () => (self.name_apart(&his, sex, &siblings), sex),
            };
            let mut person = self.person(name, sex, born, place);
            person.father_name = Some(father.clone());
            person.mother_name = Some(mother.clone());
            person.address_line.clone_from(&address);
            let twin = self.random.chance(0.011).then(|| {
                siblings.push(person.full_name.clone());
                let name = self.name_apart(&his, sex, &siblings);
                let mut twin = self.person(name, sex, born, place);
                (twin.birth_day, twin.birth_month) = (person.birth_day, person.birth_month);
                twin.father_name.clone_from(&person.father_name);
                twin.mother_name.clone_from(&person.mother_name);
                twin.address_line.clone_from(&address);
                twin
            });
            siblings.push(person.full_name.clone());
            siblings.extend(twin.iter().map(|twin| twin.full_name.clone()));
            all.push(person);
            all.extend(twin);
            born += 1 + self.random.below(4) as u16;
        }
    }

    /// A given name that no brother or sister has.
    fn name_apart(&mut self, surname: &str, sex: Sex, siblings: &[String]) -> String {
        loop {
            let name = self.name(surname, sex);
            let given = |name: &str| name.rsplit(' ').next().map(str::to_owned);
            if siblings.iter().all(|other| given(other) != given(&name)) {
                return name;
            }
        }
    }

    /// The same person on another paper: some fields missing, some damaged. `id` is new.
    pub fn again(&mut self, person: &Record, numbers: f64) -> Record {
        self.next_id += 1;
        let mut copy = Record { id: self.next_id, ..person.clone() };
        let r = &mut self.random;
        if !r.chance(numbers) {
            copy.pin = None;
        }
        if !r.chance(numbers) {
            copy.cmnd = None;
        } else if r.chance(0.03) {
            copy.cmnd = copy.cmnd.map(|n| n ^ 1);
        }
        if r.chance(0.12) {
            copy.full_name = damaged_name(&copy.full_name, r);
        }
        match r.below(50) {
            0 => std::mem::swap(&mut copy.birth_day, &mut copy.birth_month),
            1 => (copy.birth_day, copy.birth_month) = (None, None),
            2 => (copy.birth_day, copy.birth_month) = (Some(1), Some(1)),
            3 => copy.birth_year = copy.birth_year.map(|y| y + 1),
            4 => copy.birth_day = copy.birth_day.map(|d| d % 10 + 10),
            _ => {}
        }
        for parent in [&mut copy.father_name, &mut copy.mother_name] {
            match r.below(25) {
                0 => *parent = None,
                1 => *parent = parent.take().map(|name| damaged_name(&name, r)),
                _ => {}
            }
        }
        if r.chance(0.15) {
            copy.residence = Place::new(42, 430, 18_000 + r.below(10) as u32).ok();
            copy.address_line = None;
        }
        if r.chance(0.05) {
            copy.native_place = None;
        }
        copy
    }
}

fn damaged_name(name: &str, r: &mut Random) -> String {
    let mut words: Vec<String> = name.split(' ').map(String::from).collect();
    match r.below(6) {
        0 if words.len() > 2 => {
            words.remove(1);
        }
        1 => words.rotate_left(1),
        2 => return name.replace("òa", "oà").replace("úy", "uý").replace("ủy", "uỷ"),
        3 => {
            let at = r.below(words.len() as u64) as usize;
            words[at].pop();
            words[at].push('n');
        }
        4 => return name.replace("Tr", "Ch").replace('S', "X").replace("Huỳnh", "Hoàng"),
        _ => return fold(name),
    }
    words.join(" ")
}

fn fold(name: &str) -> String {
    use std::iter::once;
    let table = [
        ("àáảãạăằắẳẵặâầấẩẫậ", 'a'),
        ("èéẻẽẹêềếểễệ", 'e'),
        ("ìíỉĩị", 'i'),
        ("òóỏõọôồốổỗộơờớởỡợ", 'o'),
        ("ùúủũụưừứửữự", 'u'),
        ("ỳýỷỹỵ", 'y'),
        ("đ", 'd'),
    ];
    name.to_lowercase()
        .chars()
        .flat_map(|c| once(table.iter().find(|(from, _)| from.contains(c)).map_or(c, |&(_, to)| to)))
        .collect()
}
