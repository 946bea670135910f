//! Compiles `proto/` without a protoc on the machine.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(["proto/milvus.proto"], ["proto"])?;
    tonic_prost_build::configure()
        // The RPC `Connect` would collide with the `connect` that comes with a transport.
        .build_transport(false)
        // Bytes are slices of the message they came in: vectors of a search are not copied to be read.
        .bytes(".")
        .compile_fds(descriptors)?;
    Ok(())
}
