//! Rules that look at more than one value of a profile, or at what a type cannot say. One function a rule; all of them run.

use crate::feed::binance::{Service, is_loopback};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::layer::Level;
use super::merge::Effective;
use super::overlay::Overrides;
use super::path::KeyPath;
use super::value::Value;

/// Tables whose values say how much is allowed.
const RISK_TABLES: [&str; 5] = ["limits", "caps", "floors", "risk", "escalation"];

/// How layers become one document, for a person: each rule is held by the code of this room and told by `explain --rules`.
pub const MERGE_RULES: &[(&str, &str)] = &[
    (
        "Layers, lowest first",
        "Compiled defaults, the root profile, each child of the chain, variables TIDEGATE__TABLE__KEY of the environment, --set, --paper. \
         The highest that says anything about a key wins, and `explain KEY` lists those that lost.",
    ),
    (
        "Chain",
        "A profile inherits from at most one parent, a file of the same folder. A chain holds at most three profiles and no circle; an \
         abstract profile cannot be picked.",
    ),
    (
        "[caps] and [floors]",
        "Along the chain a cap may only sink and a floor only rise; a looser one is an error. Hard caps are compiled in and bound them all.",
    ),
    (
        "[limits]",
        "The child wins, and then every limit is held against the tightest cap: above it is an error, never clamped in silence.",
    ),
    ("[profile]", "Not inherited, except pipeline."),
    (
        "Everything else",
        "Tables merge key by key, the child wins. A list is replaced whole. A table stays a table and a value a value. Entries that people \
         name carry order = N; enabled = false removes one.",
    ),
    ("Sealed keys", "Only the abstract root may write risk.on_unresolved, risk.drawdown_basis and preflight.require_all."),
    (
        "Environment",
        "Never sets limits, caps, floors, risk, escalation, nor anything of [profile] except pipeline: such a variable is ignored and told.",
    ),
    (
        "--set",
        "Changes any key of a paper profile under the same bounds. On a live profile it changes nothing in limits, caps, floors, risk and \
         escalation, and never mode, except to paper.",
    ),
    (
        "Secrets",
        "References only (env:, file:, keyring:); a literal is an error. They are looked up when they are used, never merged.",
    ),
];

/// Runs every rule.
pub fn check(effective: &Effective, overrides: &Overrides, found: &mut Diagnostics) {
    drawdown_order(effective, found);
    sealed_keys(effective, found);
    flags_never_raise_live(effective, overrides, found);
    currency(effective, found);
    replaced_lists(effective, found);
    venue_fits_mode(effective, found);
    listen_address(effective, found);
    super::bucket::check(effective, found);
    super::zone::check(effective, &KeyPath::dotted("clock.tz"), found);
    super::ladder::check(effective, found);
    super::messages::check(effective, found);
    super::effect::disobeyed(effective, found);
}

fn drawdown_order(effective: &Effective, found: &mut Diagnostics) {
    let (daily, weekly) = (KeyPath::dotted("limits.max_dd_daily"), KeyPath::dotted("limits.max_dd_weekly"));
    let (Some(day), Some(week)) = (effective.fraction_at(&daily), effective.fraction_at(&weekly)) else { return };
    if day <= week {
        return;
    }
    let percent = day.to_f64() * 100.0;
    let error = Diagnostic::error("drawdown-order", "the daily drawdown limit is above the weekly one")
        .at(effective.place(&daily).or_else(|| effective.place(&weekly)))
        .label(format!("would allow {percent} % in one day"))
        .key(&daily)
        .note_at(format!("{weekly} = {week}"), effective.place(&weekly));
    found.push(error.hint(format!("lower max_dd_daily to at most {week}")));
}

/// Sealed keys belong to the abstract root: a child that could rewrite them could undo what they promise.
fn sealed_keys(effective: &Effective, found: &mut Diagnostics) {
    let root = effective.layers().iter().find(|layer| layer.level == Level::File);
    for layer in effective.layers() {
        let is_root = root.is_some_and(|root| std::sync::Arc::ptr_eq(root, layer) && super::chain::is_abstract(root));
        if is_root || layer.level == Level::Default {
            continue;
        }
        for row in effective.schema().rows.iter().filter(|row| row.key.sealed) {
            let path = KeyPath::dotted(row.key.path);
            let Some(written) = layer.written.get(&path) else { continue };
            let mut error = Diagnostic::error("sealed-key", format!("{path} is sealed: only the abstract root may set it"));
            error = error.at(written.key.clone()).label("sealed").key(&path);
            if let Some(root) = root.and_then(|root| root.written.get(&path)) {
                let value = root.value.as_ref().map(ToString::to_string).unwrap_or_default();
                error = error.note_at(format!("{path} = {value}"), root.place.clone());
            }
            found.push(error.hint("remove this line"));
        }
    }
}

/// How much a live profile allows is changed in a file that somebody reviews, not in passing.
fn flags_never_raise_live(effective: &Effective, overrides: &Overrides, found: &mut Diagnostics) {
    let live = effective.text_at(&KeyPath::dotted("profile.mode")) == Some("live");
    for layer in effective.layers().iter().filter(|layer| layer.level == Level::Flag && layer.name == "--set") {
        for (path, written) in &layer.written {
            let is_head = path.first() == "profile" && path.last() != "pipeline";
            let lowers = path.last() == "mode" && layer.text(path) == Some("paper");
            if is_head && !lowers {
                let error = Diagnostic::error("set-refused", format!("--set never changes {path}"));
                let error = error.at(written.key.clone()).key(path);
                found.push(error.hint("write it in the profile's file, where it is reviewed"));
            } else if live && !overrides.paper && RISK_TABLES.contains(&path.first()) {
                let error = Diagnostic::error("set-raises-live", format!("--set never changes {path} of a live profile"));
                let error = error.at(written.key.clone()).label("not on a live profile").key(path);
                let error = error.note_at("profile.mode = \"live\"", effective.place(&KeyPath::dotted("profile.mode")));
                found.push(error.hint("change the profile's file, or add --paper to try it without money"));
            }
        }
    }
}

/// A list of a child takes the place of its parent's: right by the rules, and easily not meant.
fn replaced_lists(effective: &Effective, found: &mut Diagnostics) {
    for (path, winner) in effective.winners() {
        let Some(mine) = winner.value.as_ref().and_then(Value::items) else { continue };
        let inherited = effective.chain(path).skip(1).find(|(layer, _)| layer.level == Level::File);
        let Some((parent, theirs)) = inherited.and_then(|(_, written)| Some((written, written.value.as_ref()?.items()?))) else {
            continue;
        };
        let gone: Vec<String> = theirs.iter().filter(|item| !mine.contains(item)).map(|item| format!("\"{item}\"")).collect();
        if !gone.is_empty() {
            let note =
                Diagnostic::remark("list-replaced", format!("{path} replaces its parent's list: {} is gone", gone.join(", ")));
            let note = note.at(winner.place.clone()).key(path).note_at("the parent's list", parent.place.clone());
            found.push(note.hint("lists are replaced whole: repeat what is to stay"));
        }
    }
}

fn currency(effective: &Effective, found: &mut Diagnostics) {
    let key = KeyPath::dotted("limits.currency");
    let Some(text) = effective.text_at(&key) else { return };
    if format!("BTC/{text}").parse::<crate::domain::Symbol>().is_err() {
        let error =
            Diagnostic::error("bad-currency", format!("\"{text}\" is not a currency")).at(effective.place(&key)).key(&key);
        found.push(error.label("not a currency").hint("write it in capitals, like \"USDT\""));
    }
}

/// A practice mode never talks to a host that takes money, a live one to no host that nobody has heard of.
fn venue_fits_mode(effective: &Effective, found: &mut Diagnostics) {
    let (mode_key, venue_key) = (KeyPath::dotted("profile.mode"), KeyPath::dotted("stages.oms.venue"));
    let (Some(mode), Some(venue)) = (effective.text_at(&mode_key), effective.text_at(&venue_key)) else { return };
    if mode == "live" && venue == "paper" {
        let warning = Diagnostic::warning("live-on-paper", "the profile is live, and its orders go to the paper venue")
            .at(effective.place(&mode_key))
            .key(&mode_key)
            .note_at("stages.oms.venue = \"paper\"", effective.place(&venue_key));
        found.push(warning.hint("write mode = \"paper\", or name a venue in [stages.oms]"));
    }
    let url_key = KeyPath::dotted("venue.binance.base_url");
    let Some(url) = effective.text_at(&url_key).filter(|_| venue == "binance") else { return };
    let host = url.trim_end_matches('/');
    let (good, allowed) = match mode {
        "live" => (Service::Orders.hosts().contains(&host), Service::Orders.hosts()[..2].join(", ")),
        _ => {
            let practice = Service::Practice.hosts();
            (is_loopback(host) || practice.contains(&host), format!("{} or loopback", practice.join(", ")))
        }
    };
    if !good {
        let error = Diagnostic::error("base-url", format!("a {mode} profile must not send orders to this address"))
            .at(effective.place(&url_key).or_else(|| effective.place(&venue_key)))
            .label("not on the list")
            .key(&url_key)
            .note_at(format!("profile.mode = \"{mode}\""), effective.place(&mode_key))
            .note(format!("venue.binance.base_url = \"{url}\""));
        found.push(error.hint(format!("allowed here: {allowed}")));
    }
}

fn listen_address(effective: &Effective, found: &mut Diagnostics) {
    let key = KeyPath::dotted("metrics.listen");
    let Some(text) = effective.text_at(&key) else { return };
    if text.parse::<std::net::SocketAddr>().is_err() {
        let error =
            Diagnostic::error("bad-address", format!("\"{text}\" is not an address and a port")).at(effective.place(&key));
        found.push(error.label("not an address").key(&key).hint("write it like \"127.0.0.1:8000\""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::keys::KEYS;

    #[test]
    fn the_rules_name_every_sealed_key_and_every_closed_table() {
        let told = |name: &str| MERGE_RULES.iter().find(|(rule, _)| *rule == name).expect("a rule").1;
        for key in KEYS.iter().filter(|key| key.sealed) {
            assert!(told("Sealed keys").contains(key.path), "{}", key.path);
        }
        for table in RISK_TABLES {
            assert!(told("Environment").contains(table) && told("--set").contains(table), "{table}");
        }
    }
}
