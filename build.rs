//! Compiles the kiosk's screens. The central service alone needs none of it.

#[cfg(feature = "kiosk")]
fn main() -> Result<(), slint_build::CompileError> {
    // Element ids let the tests find what a finger would touch.
    let debug = std::env::var("PROFILE").is_ok_and(|profile| profile == "debug");
    let config = slint_build::CompilerConfiguration::new()
        .embed_resources(slint_build::EmbedResourcesKind::EmbedFiles)
        .with_debug_info(debug);
    slint_build::compile_with_config("ui/kiosk/app.slint", config)
}

#[cfg(not(feature = "kiosk"))]
fn main() {}
