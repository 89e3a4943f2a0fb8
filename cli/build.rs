//! Rebuilds the program when a file of a template or an SDK is added: it embeds them, and the compiler only watches the files
//! that existed before.

fn main() {
    println!("cargo::rerun-if-changed=../plugins/templates");
    println!("cargo::rerun-if-changed=../plugins/sdk");
}
