//! Names the program by what it was built from: sources, lock file, compiler and optimisation. Runs are stamped with it.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

fn main() {
    let mut hash = Sha256::new();
    let mut files = vec![PathBuf::from("Cargo.lock"), PathBuf::from("Cargo.toml"), PathBuf::from("build.rs")];
    collect(Path::new("src"), &mut files);
    files.sort();
    for file in &files {
        println!("cargo:rerun-if-changed={}", file.display());
        hash.update(file.to_string_lossy().as_bytes());
        hash.update(std::fs::read(file).unwrap_or_default());
    }
    println!("cargo:rerun-if-changed=src");
    for name in ["OPT_LEVEL", "TARGET", "RUSTC"] {
        hash.update(std::env::var(name).unwrap_or_default());
    }
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    if let Ok(version) = std::process::Command::new(rustc).arg("-V").output() {
        hash.update(version.stdout);
    }
    let name: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    println!("cargo:rustc-env=TIDEGATE_BUILD={name}");
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            collect(&path, files);
        } else {
            files.push(path);
        }
    }
}
