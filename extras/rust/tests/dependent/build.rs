fn main() {
    // Where the program finds libdecorr when it starts; no variable: where the system looks anyway.
    if let Ok(directory) = std::env::var("DEP_DECORR_LIB_DIR") {
        println!("cargo:rustc-link-arg=-Wl,-rpath,{directory}");
    }
}
