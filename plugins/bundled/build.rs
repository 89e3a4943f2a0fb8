//! Packs the components: the program carries a third of their size.

use std::path::Path;
use std::{env, fs};

/// The best compression: eight megabytes take half a second.
const LEVEL: u8 = 9;

fn main() -> std::io::Result<()> {
    let out = env::var_os("OUT_DIR").ok_or_else(|| std::io::Error::other("cargo sets OUT_DIR"))?;
    for folder in ["components", "../javascript"] {
        println!("cargo::rerun-if-changed={folder}");
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "wasm") {
                let name = path.file_name().unwrap_or_default();
                let packed = miniz_oxide::deflate::compress_to_vec(&fs::read(&path)?, LEVEL);
                fs::write(Path::new(&out).join(name), packed)?;
            }
        }
    }
    Ok(())
}
