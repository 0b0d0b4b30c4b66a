//! Stops the database server that test runs leave running: `cargo run -p testkit --example
//! stop_test_cluster`.

fn main() -> Result<(), store::Error> {
    testkit::test_cluster()?.stop()
}
