//! Reference data that may lie beside the repository, and is too large to be part of it.

use std::path::PathBuf;

/// Set to `1` where the data must be there: a run that skips would prove nothing.
const REQUIRED: &str = "TIDEGATE_REQUIRE_SHARED";

/// The path of `rel` in the data beside the repository. `None`, said aloud, when it is absent: the test returns.
pub fn path(rel: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../shared")).join(rel);
    if path.exists() {
        return Some(path);
    }
    let required = std::env::var(REQUIRED).is_ok_and(|value| value == "1");
    assert!(!required, "{} is absent and {REQUIRED}=1", path.display());
    eprintln!("skipped: shared data absent");
    None
}
