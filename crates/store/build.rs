//! The migrations are embedded by a macro that reads a directory: without this line a new file there would
//! not rebuild the crate.
fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
