//! For any chain of profiles, environment, flags and step of the ladder: no effective limit is looser than any bound, and every
//! value has one origin.

use std::fmt::Write;

use proptest::prelude::*;
use proptest::sample::select;
use tidegate::pipeline::keys as pipeline_keys;
use tidegate::pipeline::load::{Sound, load_from};
use tidegate::profile::explained::Explained;
use tidegate::profile::layer::Level;
use tidegate::profile::{Diagnostics, Documents, Environment, Folder, Overrides, Profile, keys};
use tidegate::risk::Limits;

const PIPELINE: &str = include_str!("../cases/diagnostics/_common/pipelines/trend.toml");

/// A bounded limit: its name, the hard cap in the language's own words, and texts for caps and limits, small ones first.
struct Bounded {
    name: &'static str,
    hard: f64,
    values: &'static [&'static str],
    read: fn(&Limits) -> f64,
}

/// Every limit that a cap bounds. The hard caps stand here again, so that a slip in the program's own is seen.
const BOUNDED: [Bounded; 7] = [
    Bounded {
        name: "max_notional_per_order",
        hard: 10_000.0,
        values: &["\"0\"", "\"25\"", "\"50\"", "\"400\"", "\"9999.5\"", "\"10000.01\""],
        read: |l| l.max_notional_per_order.to_f64(),
    },
    Bounded {
        name: "max_total_notional",
        hard: 50_000.0,
        values: &["\"0\"", "\"100\"", "\"200\"", "\"1600\"", "\"50000\"", "\"50001\""],
        read: |l| l.max_total_notional.to_f64(),
    },
    Bounded {
        name: "max_dd_daily",
        hard: 0.10,
        values: &["0.0", "0.01", "0.03", "0.05", "0.10", "0.11"],
        read: |l| l.max_dd_daily.to_f64(),
    },
    Bounded {
        name: "max_dd_weekly",
        hard: 0.20,
        values: &["0.05", "0.1", "0.15", "0.2", "0.21"],
        read: |l| l.max_dd_weekly.to_f64(),
    },
    Bounded {
        name: "latency_threshold",
        hard: 10.0,
        values: &["\"100ms\"", "\"500ms\"", "\"1s\"", "\"10s\"", "\"1m\""],
        read: |l| l.latency_threshold.micros() as f64 / 1e6,
    },
    Bounded {
        name: "max_orders_per_minute",
        hard: 30.0,
        values: &["0", "5", "10", "30", "31"],
        read: |l| f64::from(l.max_orders_per_minute),
    },
    Bounded {
        name: "price_collar",
        hard: 0.05,
        values: &["0.0", "0.005", "0.01", "0.05", "0.06"],
        read: |l| l.price_collar.to_f64(),
    },
];

/// A value as the test reads it: its own few lines, not the program's.
fn number(text: &str) -> f64 {
    let text = text.trim_matches('"');
    let unit = |suffix: &str, by: f64| text.strip_suffix(suffix).and_then(|n| n.parse::<f64>().ok()).map(|n| n * by);
    unit("ms", 1e-3).or_else(|| unit("s", 1.0)).or_else(|| unit("m", 60.0)).unwrap_or_else(|| text.parse().expect("a number"))
}

/// What one document says of each bounded limit: cap and limit.
type Said = Vec<(Option<&'static str>, Option<&'static str>)>;

/// Mostly small limits and large caps, so that many chains are sound; the rest are what bounds are for.
fn said() -> impl Strategy<Value = Said> {
    let of = |bounded: &Bounded| {
        let (small, all) = (&bounded.values[..2], bounded.values);
        let large = &all[all.len() - 3..all.len() - 1];
        let cap = prop_oneof![12 => Just(None), 3 => select(large).prop_map(Some), 1 => select(all).prop_map(Some)];
        let limit = prop_oneof![10 => Just(None), 5 => select(small).prop_map(Some), 1 => select(all).prop_map(Some)];
        (cap, limit)
    };
    BOUNDED.iter().map(of).collect::<Vec<_>>()
}

/// A ladder: limit to raise, target, and whether the other one follows.
type Climb = (&'static str, &'static str, bool);

#[derive(Debug, Clone)]
struct Chain {
    /// Root first.
    profiles: Vec<Said>,
    ladder: Option<Climb>,
    /// Which limit a variable and a flag try to set, and to what.
    variable: Option<(usize, &'static str)>,
    flag: Option<(usize, &'static str)>,
    live: bool,
    paper: bool,
    step: usize,
}

fn chain() -> impl Strategy<Value = Chain> {
    let ladder = (
        select(vec!["max_notional_per_order", "max_total_notional"]),
        select(vec!["\"400\"", "\"1600\"", "\"10000\"", "\"50001\""]),
        any::<bool>(),
    );
    let set = || (0..BOUNDED.len()).prop_flat_map(|at| (Just(at), select(BOUNDED[at].values)));
    let profiles = proptest::collection::vec(said(), 1..4);
    (
        profiles,
        proptest::option::of(ladder),
        proptest::option::of(set()),
        proptest::option::of(set()),
        any::<[bool; 2]>(),
        0usize..8,
    )
        .prop_map(|(profiles, ladder, variable, flag, [live, paper], step)| Chain {
            profiles,
            ladder,
            variable,
            flag,
            live,
            paper,
            step,
        })
}

fn document(at: usize, chain: &Chain) -> String {
    let mut text = match at {
        0 => "[profile]\npipeline = \"trend\"\n".to_owned(),
        at => format!("[profile]\ninherits = \"p{}\"\n", at - 1),
    };
    let is_top = at + 1 == chain.profiles.len();
    if is_top && chain.live {
        text.push_str("mode = \"live\"\n");
    }
    for (table, pick) in [("caps", 0), ("limits", 1)] {
        let _ = writeln!(text, "[{table}]");
        for (bounded, (cap, limit)) in BOUNDED.iter().zip(&chain.profiles[at]) {
            if let Some(value) = if pick == 0 { cap } else { limit } {
                let _ = writeln!(text, "{} = {value}", bounded.name);
            }
        }
        if (at, pick) == (0, 1) {
            text.push_str("currency = \"USDT\"\n");
        }
    }
    if let Some((raise, target, follows)) = chain.ladder.filter(|_| is_top) {
        let other = if raise == "max_total_notional" { "max_notional_per_order" } else { "max_total_notional" };
        let scale = if follows { format!("\"{other}\"") } else { String::new() };
        let _ = write!(
            text,
            "[escalation]\nenabled = true\nraise = \"{raise}\"\ntarget = {target}\nscale_with = [{scale}]\n\
             [escalation.gate.quiet]\nmetric = \"kill_events\"\nwindow = \"7d\"\nop = \"==\"\nvalue = 0\n"
        );
    }
    text
}

fn resolve(chain: &Chain) -> Option<Profile> {
    let mut documents = Documents::new(std::path::Path::new("/nowhere"));
    for at in 0..chain.profiles.len() {
        let name = format!("p{at}");
        documents.put(Folder::Profiles, &name, &format!("profiles/{name}.toml"), &document(at, chain), &keys::SCHEMA);
    }
    documents.put(Folder::Pipelines, "trend", "pipelines/trend.toml", PIPELINE, &pipeline_keys::SCHEMA);
    let name = |table: &str, at: usize| format!("TIDEGATE__{table}__{}", BOUNDED[at].name.to_uppercase());
    let variables = chain.variable.iter().flat_map(|(at, value)| {
        let value = value.trim_matches('"').to_owned();
        [(name("LIMITS", *at), value.clone()), (name("CAPS", *at), value)]
    });
    let set = chain.flag.iter().map(|(at, value)| format!("limits.{}={}", BOUNDED[*at].name, value.trim_matches('"'))).collect();
    let overrides = Overrides { set, paper: chain.paper, ..Overrides::default() };
    let top = format!("p{}", chain.profiles.len() - 1);
    let mut found = Diagnostics::default();
    let loaded =
        load_from(&mut documents, &mut Sound::default(), &top, None, &overrides, &Environment::new(variables), &mut found);
    loaded.filter(|_| found.errors() == 0).map(|(profile, _)| profile)
}

/// Every bound that the documents state for one limit, hard cap first.
fn caps<'a>(chain: &'a Chain, at: usize) -> impl Iterator<Item = f64> + 'a {
    let stated = chain.profiles.iter().filter_map(move |said| said[at].0).map(number);
    std::iter::once(BOUNDED[at].hard).chain(stated)
}

/// PROFILE-1.
fn no_limit_is_loose(profile: &Profile, chain: &Chain) {
    let rungs = profile.ladder().map_or(std::slice::from_ref(profile.limits()), |ladder| ladder.rungs());
    let step = &rungs[chain.step.min(rungs.len() - 1)];
    for limits in [profile.limits(), step] {
        for (at, bounded) in BOUNDED.iter().enumerate() {
            let limit = (bounded.read)(limits);
            assert!(caps(chain, at).all(|cap| limit <= cap * (1.0 + 1e-12)), "{} = {limit}: {chain:?}", bounded.name);
        }
    }
    // What is not raised stays where the files put it, and the environment moves nothing.
    for (at, bounded) in BOUNDED.iter().enumerate() {
        let flag = chain.flag.filter(|(set, _)| *set == at).map(|(_, value)| value);
        let written = chain.profiles.iter().rev().find_map(|said| said[at].1);
        let wanted = flag.or(written).map_or(0.0, number);
        assert!(((bounded.read)(profile.limits()) - wanted).abs() < 1e-9, "{}: {chain:?}", bounded.name);
    }
}

/// PROFILE-2: the origin of a value is the highest layer that wrote it, that layer wrote this very value, and `explain` says so.
fn one_origin_each(profile: &Profile) {
    let effective = profile.effective();
    for (path, entry) in effective.entries() {
        let own = path.first() == "profile" && path.last() != "pipeline";
        let may_say = |layer: &&std::sync::Arc<tidegate::profile::layer::Layer>| {
            layer.written.contains_key(path) && !(own && layer.level == Level::File && layer.name != profile.name())
        };
        let layer = effective.layers().iter().rfind(may_say);
        let explained = Explained::of(effective, path, profile.ignored()).expect("a key that is there can be explained");
        assert_eq!(explained.value, entry.value.as_ref(), "{path}");
        let origin = explained.chain.first().expect("a value has an origin");
        assert_eq!(origin.value, entry.value, "{path}");
        match layer {
            Some(layer) => {
                assert_eq!(effective.layer_of(entry).name, layer.name, "{path}");
                assert_eq!(origin.value, layer.written[path].value, "{path}");
                assert_eq!(origin.place.is_none(), layer.level == Level::Default, "{path}");
            }
            None => assert!(origin.place.is_none() && effective.layer_of(entry).level == Level::Default, "{path}"),
        }
    }
}

/// Is the chain sound, by the rules worked out the plain way? `None` where more than bounds decides.
fn is_within_bounds(chain: &Chain) -> Option<bool> {
    if chain.ladder.is_some() || (chain.flag.is_some() && chain.live && !chain.paper) {
        return None;
    }
    let limit = |at: usize| {
        let flag = chain.flag.filter(|(set, _)| *set == at).map(|(_, value)| value);
        flag.or_else(|| chain.profiles.iter().rev().find_map(|said| said[at].1)).map_or(0.0, number)
    };
    let sinks = |at: usize| caps(chain, at).collect::<Vec<_>>().windows(2).all(|pair| pair[1] <= pair[0]);
    let all = (0..BOUNDED.len()).all(|at| sinks(at) && caps(chain, at).all(|cap| limit(at) <= cap));
    // A live profile that orders from the paper venue is a warning; a daily limit above the weekly one is an error.
    Some(all && limit(2) <= limit(3))
}

/// Debug builds are ten times slower, and the whole number is run in release.
const CASES: u32 = if cfg!(debug_assertions) { 2_000 } else { 100_000 };

#[test]
fn no_chain_loosens_a_bound() {
    let config = ProptestConfig { cases: CASES, failure_persistence: None, ..ProptestConfig::default() };
    let (sound, climbed) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let end = runner.run(&chain(), |chain| {
        let profile = resolve(&chain);
        if let Some(wanted) = is_within_bounds(&chain) {
            prop_assert_eq!(profile.is_some(), wanted, "{:?}", chain);
        }
        if let Some(profile) = profile {
            no_limit_is_loose(&profile, &chain);
            one_origin_each(&profile);
            sound.set(sound.get() + 1);
            climbed.set(climbed.get() + u32::from(profile.ladder().is_some_and(|ladder| ladder.rungs().len() > 1)));
        }
        Ok(())
    });
    if let Err(error) = end {
        panic!("{error}");
    }
    assert!(
        sound.get() > CASES / 10 && climbed.get() > CASES / 100,
        "{} sound, {} climb: proves nothing",
        sound.get(),
        climbed.get()
    );
}
