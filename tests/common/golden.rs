//! What goes out, held against what was looked at and accepted.

use std::path::Path;

/// Holds a text against a file in `tests/golden`; `HAILONG_ACCEPT=1` writes it anew, to be looked at.
pub fn is_golden(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if std::env::var_os("HAILONG_ACCEPT").is_some() {
        std::fs::write(&file, text).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(text, golden, "{name}; HAILONG_ACCEPT=1 accepts it after a look");
}
