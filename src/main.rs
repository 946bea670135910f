//! The `tailtrace` command.
fn main() {}
