//! Documents with damage of any kind: a clear finding or a sound profile, never a crash.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tidegate::pipeline;
use tidegate::profile::render::{self, Paint};
use tidegate::profile::{Environment, Overrides};

/// What happens to a text at one place.
#[derive(Debug, Clone)]
enum Damage {
    Cut(usize),
    Put(&'static str),
    /// Repeats a line somewhere else.
    Repeat(usize),
}

fn damage() -> impl Strategy<Value = (usize, Damage)> {
    let pieces = [
        "\"", "'", "[", "]", "[[", "{", "}", "=", ".", "#", "\n", "\r", "\0", "é", "🚀", "\u{feff}", "-", "1e309", "nan", "true",
        "\\", "\"\"\"", "'''", "=[", "a.b", "\t", ",", "x",
    ];
    let kind = prop_oneof![
        (1usize..40).prop_map(Damage::Cut),
        proptest::sample::select(pieces.to_vec()).prop_map(Damage::Put),
        (0usize..200).prop_map(Damage::Repeat),
    ];
    (0usize..20_000, kind)
}

fn mangled(text: &str, damages: &[(usize, Damage)]) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for (at, damage) in damages {
        let at = at % (bytes.len() + 1);
        match damage {
            // Cuts go through characters too: then the file is no UTF-8.
            Damage::Cut(n) => drop(bytes.drain(at..(at + n).min(bytes.len()))),
            Damage::Put(piece) => drop(bytes.splice(at..at, piece.bytes())),
            Damage::Repeat(n) => {
                let line = text.lines().nth(n % text.lines().count()).unwrap_or_default();
                let line_start = bytes[..at].iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
                bytes.splice(line_start..line_start, format!("{line}\n").bytes());
            }
        }
    }
    bytes
}

fn shipped(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("a shipped file")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_damage_crashes_the_reader(
        file in 0usize..3,
        damages in proptest::collection::vec(damage(), 1..6),
        set in proptest::option::of("[a-z_.\"=0-9\\[\\]{}'é-]{0,24}"),
    ) {
        let names = ["profiles/base.toml", "profiles/production.toml", "pipelines/trend.toml"];
        let root = tempfile::tempdir().expect("a scratch folder can be made");
        for folder in ["profiles", "pipelines"] {
            fs::create_dir(root.path().join(folder)).expect("a scratch folder can be made");
        }
        for (at, name) in names.iter().enumerate() {
            let text = shipped(name);
            let bytes = if at == file { mangled(&text, &damages) } else { text.into_bytes() };
            fs::write(root.path().join(name), bytes).expect("a scratch file can be written");
        }
        let overrides = Overrides { set: set.into_iter().collect(), paper: false, ..Overrides::default() };
        match pipeline::load(root.path(), "production", None, &overrides, &Environment::default()) {
            Ok((profile, plan, _)) => prop_assert!(profile.fingerprint().len() == 64 && !plan.symbols().is_empty()),
            Err(found) => {
                prop_assert!(found.errors() > 0);
                prop_assert!(!render::text(&found, Paint::Plain).is_empty());
                for one in render::json(&found).as_array().expect("a list") {
                    prop_assert!(one["file"].is_null() || one["line"].as_u64() > Some(0), "{one}");
                }
            }
        }
    }
}
