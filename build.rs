//! Compiles `proto/` without a protoc on the machine.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    tell_what_is_built();
    let descriptors = protox::compile(["proto/milvus.proto"], ["proto"])?;
    tonic_prost_build::configure()
        // The RPC `Connect` would collide with the `connect` that comes with a transport.
        .build_transport(false)
        // Bytes are slices of the message they came in: vectors of a search are not copied to be read.
        .bytes(".")
        .compile_fds(descriptors)?;
    Ok(())
}

/// Commit and compiler go into every result. Where there is no repository (a packaged source), the commit stays unknown.
fn tell_what_is_built() {
    println!("cargo:rerun-if-changed=.git/HEAD");
    println!("cargo:rerun-if-changed=.git/refs/heads");
    let said = |program: &str, arguments: &[&str]| {
        let output = std::process::Command::new(program).args(arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
    };
    if let Some(commit) = said("git", &["rev-parse", "--short=12", "HEAD"]) {
        println!("cargo:rustc-env=TAILTRACE_COMMIT={commit}");
    }
    if let Some(rustc) = said(&std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned()), &["--version"]) {
        println!("cargo:rustc-env=TAILTRACE_RUSTC={rustc}");
    }
}
