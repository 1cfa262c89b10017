//! Time zones by name.

use jiff::tz::TimeZone;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::fault::nearest;
use super::merge::Effective;
use super::path::KeyPath;

/// Tells of a written time zone that nobody knows.
pub fn check(effective: &Effective, key: &KeyPath, found: &mut Diagnostics) {
    let Some(text) = effective.text_at(key).filter(|text| effective.is_written(key) && TimeZone::get(text).is_err()) else {
        return;
    };
    let error = Diagnostic::error("unknown-zone", format!("there is no time zone \"{text}\"")).at(effective.place(key));
    found.push(error.label("not known").key(key).hint(hint(text)));
}

/// What was probably meant: a slip of the pen, or a city without its continent.
fn hint(text: &str) -> String {
    let names: Vec<String> = jiff::tz::db().available().map(|name| name.to_string()).collect();
    let names = || names.iter().map(String::as_str);
    let by_city = || names().find(|name| name.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(text)));
    match by_city().or_else(|| nearest(text, names())) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => "write a name of the IANA database, like \"Europe/Berlin\" or \"UTC\"".to_owned(),
    }
}
