//! A register as CSV, from its bytes to its pairs, and as Parquet, from its bytes to its rows.

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

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let header = "rec_id,full_name,sex,birth_day,birth_month,birth_year,ethnicity,birth_province,\
                  hometown_commune,residence_commune,address_line,father_name,mother_name\n";
    let row = "1,Nguyễn Văn Tý,M,7,11,1986,01,42,18562,18562,\"Số 4, Xóm 3\",Nguyễn Văn Sửu,Trần Thị Dần\n";
    vec![
        format!("{header}{row}{row}").into_bytes(),
        "full_name;birth_year;note\nNguyeãn Vaên Tyù;1986;x\nNGUYEN VAN TY;1986;y\n".as_bytes().to_vec(),
    ]
}

/// Parquet: a value for each row, or none at all of a column that is not there, or an error. What comes after
/// is the same as with CSV.
pub fn parquet(data: &[u8]) -> bool {
    if !data.starts_with(b"PAR1") {
        return false;
    }
    forgive_the_library();
    crate::with_file(data, |path| {
        let read = recordfile::read(path, |block| {
            let is_whole = |len: usize| len == block.len() || len == 0;
            assert!(is_whole(block.full_name.len()) && is_whole(block.address_line.len()));
            assert_eq!((block.sex.len(), block.birth.len()), (block.len(), block.len()));
        });
        read.is_ok()
    })
}

/// A fuzzer ends at any panic, and the `parquet` crate panics at some damage, which `recordfile` makes an
/// error of.
fn forgive_the_library() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let is_library = panic.location().is_some_and(|place| place.file().contains("/parquet-"));
            if !is_library {
                before(panic);
            }
        }));
    });
}

/// What our writer makes of the seeds of [`check`]: dictionaries, Snappy, values that are missing.
pub fn parquet_seeds() -> Vec<Vec<u8>> {
    let write = |seed: Vec<u8>, path: &std::path::Path| {
        let mut writer = recordfile::Writer::create(path).expect("a temporary file");
        recordfile::read_csv(&seed[..], &mut |block| writer.write(&block).is_ok())
            .expect("a seed is a register");
        writer.finish().expect("a temporary file");
        let bytes = std::fs::read(path).expect("what was written");
        std::fs::remove_file(path).expect("what was written");
        bytes
    };
    // A name that is nobody else's, with the ending by which the writer knows the format.
    let written = |seed: Vec<u8>| crate::with_file(&[], |path| write(seed, &path.with_extension("parquet")));
    seeds().into_iter().map(written).collect()
}
