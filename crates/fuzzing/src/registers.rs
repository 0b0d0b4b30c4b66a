//! A register as CSV, from its bytes to its pairs.

use linkage::batch::{Collector, Linker, Trained};

/// Reads, links, and looks at the pairs: rows of the file, in order, with a weight.
pub fn check(data: &[u8]) -> bool {
    let mut collector = Collector::new();
    let read = recordfile::read_csv(data, &mut |block| {
        collector.add(&block);
        true
    });
    if read.is_err() {
        return false;
    }
    let rows = collector.len() as u32;
    let register = collector.finish();
    let linker = Linker::new(&register);
    for pair in linker.pairs(&Trained::default(), 0.0) {
        assert!(pair.left < pair.right && pair.right < rows, "a pair is of two rows, the smaller first");
        assert!(pair.weight.is_finite() && (0.0..=1.0).contains(&pair.probability));
    }
    true
}

pub fn seeds() -> Vec<Vec<u8>> {
    let header = "rec_id,full_name,sex,birth_day,birth_month,birth_year,ethnicity,birth_province,hometown_commune,\
                  residence_commune,address_line,father_name,mother_name\n";
    let row = "1,Nguyễn Văn Tý,M,7,11,1986,01,42,18562,18562,\"Số 4, Xóm 3\",Nguyễn Văn Sửu,Trần Thị Dần\n";
    vec![
        format!("{header}{row}{row}").into_bytes(),
        "full_name;birth_year;note\nNguyeãn Vaên Tyù;1986;x\nNGUYEN VAN TY;1986;y\n".as_bytes().to_vec(),
    ]
}
