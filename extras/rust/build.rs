//! Finds libdecorr: in the directory DECORR_LIB_DIR where that is set, else by
//! `pkg-config --libs decorr-c`. The build scripts of crates that depend on this one are told the
//! directory in DEP_DECORR_LIB_DIR, as a library's own link arguments do not reach them.

use std::env;
use std::fs;
use std::process::{exit, Command};

fn main() {
    for variable in ["DECORR_LIB_DIR", "PKG_CONFIG", "PKG_CONFIG_PATH"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    let result = match env::var("DECORR_LIB_DIR") {
        Ok(directory) if !directory.is_empty() => from_directory(&directory),
        _ => from_pkg_config(),
    };
    if let Err(reason) = result {
        eprintln!("libdecorr was not found. {reason}");
        exit(1);
    }
}

fn from_directory(directory: &str) -> Result<(), String> {
    use_directory(directory)?;
    println!("cargo:rustc-link-lib=dylib=decorr");
    Ok(())
}

fn from_pkg_config() -> Result<(), String> {
    const ADVICE: &str = "Install it (docs/packages.md), set PKG_CONFIG_PATH to the directory of \
                          decorr-c.pc, or DECORR_LIB_DIR to that of libdecorr.so";
    let program = env::var("PKG_CONFIG").unwrap_or_else(|_| "pkg-config".to_string());
    let output = Command::new(&program)
        .args(["--libs", "decorr-c"])
        .output()
        .map_err(|error| format!("{program} could not be run: {error}. {ADVICE}"))?;
    if !output.status.success() {
        let message = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{program} says:\n{}\n{ADVICE}", message.trim()));
    }
    for flag in String::from_utf8_lossy(&output.stdout).split_whitespace() {
        if let Some(directory) = flag.strip_prefix("-L") {
            use_directory(directory)?;
        } else if let Some(library) = flag.strip_prefix("-l") {
            println!("cargo:rustc-link-lib=dylib={library}");
        }
    }
    Ok(())
}

/// For the linker, and for the programs and tests of this crate when they start.
fn use_directory(directory: &str) -> Result<(), String> {
    let path = fs::canonicalize(directory)
        .map_err(|error| format!("Its directory {directory} cannot be read: {error}"))?;
    println!("cargo:rustc-link-search=native={}", path.display());
    println!("cargo:lib_dir={}", path.display());
    if env::var_os("CARGO_CFG_UNIX").is_some() {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{}", path.display());
    }
    Ok(())
}
