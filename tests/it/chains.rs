//! For any chain of profiles: no effective limit is looser than any bound, and every value has one origin.

use std::fmt::Write;
use std::fs;

use proptest::prelude::*;
use tidegate::domain::{Fraction, Money};
use tidegate::pipeline;
use tidegate::profile::layer::Level;
use tidegate::profile::{Environment, Overrides, Profile, bounds};
use tidegate::risk::limits::hard;

const PIPELINE: &str = include_str!("../cases/diagnostics/_common/pipelines/trend.toml");

/// What one profile of a chain says of an order's size and of the daily drawdown: cap and limit each.
#[derive(Debug, Clone, Copy)]
struct Said {
    order_cap: Option<u32>,
    order: Option<u32>,
    /// In hundredths of a percent.
    daily_cap: Option<u32>,
    daily: Option<u32>,
}

fn said() -> impl Strategy<Value = Said> {
    let orders = || proptest::option::of(prop_oneof![Just(0u32), 1u32..200, 1_000u32..12_000]);
    let parts = || proptest::option::of(prop_oneof![0u32..500, 0u32..1_200]);
    (orders(), orders(), parts(), parts()).prop_map(|(order_cap, order, daily_cap, daily)| Said {
        order_cap,
        order,
        daily_cap,
        daily,
    })
}

fn fraction(parts: u32) -> String {
    format!("{:.4}", f64::from(parts) / 1e4)
}

fn document(head: &str, currency: &str, said: Said) -> String {
    let mut text = format!("[profile]\n{head}\n[caps]\n");
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(text, "{name} = {value}");
        }
    };
    line("max_notional_per_order", said.order_cap.map(|n| format!("\"{n}\"")));
    line("max_dd_daily", said.daily_cap.map(fraction));
    line("\n[limits]\nmax_dd_weekly", Some("0.2".to_owned()));
    line("max_notional_per_order", said.order.map(|n| format!("\"{n}\"")));
    line("max_dd_daily", said.daily.map(fraction));
    text + currency
}

/// What the rules say of the chain, root first, worked out the plain way.
fn is_sound(chain: &[Said]) -> bool {
    let falls = |caps: Vec<u32>| caps.windows(2).all(|pair| pair[1] <= pair[0]);
    let of = |get: fn(&Said) -> Option<u32>, hard: u32| {
        let mut caps = vec![hard];
        caps.extend(chain.iter().filter_map(get));
        caps
    };
    let (orders, parts) = (of(|s| s.order_cap, 10_000), of(|s| s.daily_cap, 1_000));
    let last = |get: fn(&Said) -> Option<u32>| chain.iter().rev().find_map(get).unwrap_or(0);
    let under = |limit: u32, caps: &[u32]| caps.iter().all(|cap| limit <= *cap);
    under(last(|s| s.order), &orders) && under(last(|s| s.daily), &parts) && falls(orders) && falls(parts)
}

fn no_limit_is_loose(profile: &Profile, chain: &[Said]) {
    let limits = profile.limits();
    assert!(limits.max_notional_per_order <= hard::MAX_NOTIONAL_PER_ORDER);
    assert!(limits.max_dd_daily.to_f64() <= hard::MAX_DD_DAILY);
    for said in chain {
        let cap = said.order_cap.map(|n| n.to_string().parse::<Money>().expect("a whole number is money"));
        assert!(cap.is_none_or(|cap| limits.max_notional_per_order <= cap), "{said:?}");
        let cap = said.daily_cap.and_then(|n| Fraction::from_f64(f64::from(n) / 1e4));
        assert!(cap.is_none_or(|cap| limits.max_dd_daily <= cap), "{said:?}");
    }
    for name in bounds::CAPPED {
        assert!(bounds::tightest_cap(profile.effective(), name).is_some(), "{name} has no cap");
    }
}

/// The origin of a value is the highest layer that wrote it, and that layer wrote this very value.
fn one_origin_each(profile: &Profile) {
    let effective = profile.effective();
    let hidden = ["profile.abstract", "profile.inherits", "profile.mode", "profile.schema"];
    for (path, entry) in effective.entries() {
        let writer = effective.layers().iter().rfind(|layer| layer.written.contains_key(path));
        match writer {
            Some(layer) if !hidden.contains(&path.to_string().as_str()) => {
                assert_eq!(effective.layer_of(entry).name, layer.name, "{path}");
                assert_eq!(entry.value, layer.written[path].value, "{path}");
            }
            Some(_) => {}
            None => assert_eq!(effective.layer_of(entry).level, Level::Default, "{path}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// PROFILE-1 and PROFILE-2.
    #[test]
    fn no_chain_loosens_a_bound(chain in proptest::collection::vec(said(), 1..4), variable in proptest::option::of(0u32..20_000)) {
        let root = tempfile::tempdir().expect("a scratch folder can be made");
        for folder in ["profiles", "pipelines"] {
            fs::create_dir(root.path().join(folder)).expect("a scratch folder can be made");
        }
        fs::write(root.path().join("pipelines/trend.toml"), PIPELINE).expect("a scratch file can be written");
        for (at, said) in chain.iter().enumerate() {
            let (head, currency) = match at {
                0 => ("abstract = false\npipeline = \"trend\"\n".to_owned(), "currency = \"USDT\"\n"),
                at => (format!("inherits = \"p{}\"\n", at - 1), ""),
            };
            let text = document(&head, currency, *said);
            fs::write(root.path().join(format!("profiles/p{at}.toml")), text).expect("a scratch file can be written");
        }
        let name = |key: &str| format!("TIDEGATE__{key}__MAX_NOTIONAL_PER_ORDER");
        let variables = variable.iter().flat_map(|n| [(name("LIMITS"), n.to_string()), (name("CAPS"), n.to_string())]);
        let environment = Environment::new(variables);
        let top = format!("p{}", chain.len() - 1);
        let loaded = pipeline::load(root.path(), &top, None, &Overrides::default(), &environment);
        prop_assert_eq!(loaded.is_ok(), is_sound(&chain), "{:?}", loaded.map(|(profile, ..)| profile.name().to_owned()));
        if let Ok((profile, ..)) = loaded {
            no_limit_is_loose(&profile, &chain);
            one_origin_each(&profile);
        }
    }
}
