//! Builds the program anew when a file of a template or an SDK is added: it carries them, and the compiler watches only
//! those that were there before.

fn main() {
    println!("cargo::rerun-if-changed=../plugins/templates");
    println!("cargo::rerun-if-changed=../plugins/sdk");
}
