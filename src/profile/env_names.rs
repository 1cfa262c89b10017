//! Variables of shell scripts and the keys they mean: the table beside the schema that `from-env` goes by.

use super::fault::Fault;
use super::keys::SCHEMA;
use super::kind::Kind;
use super::number::shortest;
use super::path::KeyPath;
use super::value::Value;
use crate::domain::Span;

/// What the number in a variable counts, where its name says so and the key wants a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// As the key has it.
    AsWritten,
    Milliseconds,
    Minutes,
}

impl Unit {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AsWritten => "as written",
            Self::Milliseconds => "milliseconds",
            Self::Minutes => "minutes",
        }
    }
}

/// A variable that means a key.
#[derive(Debug, Clone, Copy)]
pub struct EnvName {
    pub name: &'static str,
    pub key: &'static str,
    pub unit: Unit,
}

/// A variable that holds a secret, and the key that names it.
#[derive(Debug, Clone, Copy)]
pub struct SecretName {
    pub name: &'static str,
    pub key: &'static str,
}

const fn env(name: &'static str, key: &'static str, unit: Unit) -> EnvName {
    EnvName { name, key, unit }
}

const fn secret(name: &'static str, key: &'static str) -> SecretName {
    SecretName { name, key }
}

#[rustfmt::skip] // One row a variable reads better than rustfmt's blocks.
pub static NAMES: &[EnvName] = &[
    env("CURRENCY", "limits.currency", Unit::AsWritten),
    env("MAX_NOTIONAL_PER_ORDER", "limits.max_notional_per_order", Unit::AsWritten),
    env("MAX_POSITION_NOTIONAL", "limits.max_position_notional", Unit::AsWritten),
    env("MAX_TOTAL_NOTIONAL", "limits.max_total_notional", Unit::AsWritten),
    env("MAX_DAILY_TURNOVER", "limits.max_daily_turnover", Unit::AsWritten),
    env("MAX_DD_DAILY", "limits.max_dd_daily", Unit::AsWritten),
    env("MAX_DD_WEEKLY", "limits.max_dd_weekly", Unit::AsWritten),
    env("LATENCY_THRESHOLD_MS", "limits.latency_threshold", Unit::Milliseconds),
    env("LATENCY_THRESHOLD", "limits.latency_threshold", Unit::AsWritten),
    env("MAX_ORDERS_PER_MINUTE", "limits.max_orders_per_minute", Unit::AsWritten),
    env("MAX_ORDERS_PER_DAY", "limits.max_orders_per_day", Unit::AsWritten),
    env("MAX_OPEN_ORDERS", "limits.max_open_orders", Unit::AsWritten),
    env("MAX_PARTICIPATION", "limits.max_participation", Unit::AsWritten),
    env("PRICE_COLLAR", "limits.price_collar", Unit::AsWritten),
    env("LATENCY_WINDOW", "risk.on_latency.window", Unit::AsWritten),
    env("PAUSE_MINUTES", "risk.on_latency.pause_for", Unit::Minutes),
];

#[rustfmt::skip]
pub static SECRETS: &[SecretName] = &[
    secret("BINANCE_API_KEY", "venue.binance.api_key"),
    secret("BINANCE_API_SECRET", "venue.binance.api_secret"),
    secret("SLACK_WEBHOOK_URL", "alerts.receiver.slack.url"),
    secret("SMTP_USER", "alerts.receiver.mail.user"),
    secret("SMTP_PASSWORD", "alerts.receiver.mail.password"),
    secret("DEADMAN_PING_URL", "alerts.deadman.url"),
];

/// Parts of names whose values are likely secrets.
const SECRETIVE: [&str; 9] = ["KEY", "SECRET", "TOKEN", "PASS", "PWD", "WEBHOOK", "CREDENTIAL", "AUTH", "PRIVATE"];

/// May the variable hold a secret?
#[must_use]
pub fn is_secretive(name: &str) -> bool {
    let upper = name.to_uppercase();
    SECRETS.iter().any(|row| row.name == name) || SECRETIVE.iter().any(|part| upper.contains(part))
}

impl EnvName {
    #[must_use]
    pub fn path(&self) -> KeyPath {
        KeyPath::dotted(self.key)
    }

    fn kind(&self) -> Kind {
        SCHEMA.find(&self.path()).expect("every row names a key: tested").key.kind
    }

    /// What a text in the script demands of the key.
    ///
    /// # Errors
    /// When the text could mean something else, or nothing: what to write is in the hint, nothing is guessed.
    pub fn read(&self, text: &str) -> Result<Value, Box<Fault>> {
        let kind = self.kind();
        if text.trim() != text || text.is_empty() || text.contains(['"', '\'', '\n']) {
            let what = if text.is_empty() { "the value is empty" } else { "the value has blanks or quotes in it" };
            return Err(Fault::new("bad-value", what, "not a plain value", format!("write {}", kind.wants())));
        }
        match self.unit {
            Unit::Milliseconds => self.counted(text, "ms", Span::from_millis),
            Unit::Minutes => self.counted(text, "m", |n| Span::from_secs(n * 60)),
            Unit::AsWritten => as_written(kind, text),
        }
    }

    /// A bare number of some unit.
    fn counted(&self, text: &str, unit: &str, span: fn(i64) -> Span) -> Result<Value, Box<Fault>> {
        let what = self.unit.name();
        if !text.bytes().all(|b| b.is_ascii_digit()) {
            let hint = format!("write a whole number of {what}, without a unit");
            return Err(Fault::new("bad-number", format!("\"{text}\" is no whole number"), format!("{what} are counted"), hint));
        }
        // The kind says whether the length fits; what is demanded is reckoned from the number itself.
        self.kind().check_text(&format!("{text}{unit}"))?;
        let count: i64 = text.parse().expect("a length of time that fits was made from it");
        Ok(match self.kind() {
            Kind::Span | Kind::SpanOrZero => Value::Span(span(count)),
            other => unreachable!("{} counts time and wants {}", self.name, other.wants()),
        })
    }
}

fn as_written(kind: Kind, text: &str) -> Result<Value, Box<Fault>> {
    if let Some(number) = text.strip_suffix('%') {
        let hint = match (kind, number.trim().parse::<f64>()) {
            (Kind::Fraction, Ok(x)) if (0.0..=100.0).contains(&x) => format!("did you mean {}?", shortest(x / 100.0)),
            _ => format!("write {}", kind.wants()),
        };
        return Err(Fault::new("percent", "a percentage is no value here", "a percentage", hint));
    }
    // `.03` is a number to every program that reads such variables.
    let text = if text.starts_with('.') { format!("0{text}") } else { text.to_owned() };
    let is_plain = text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if matches!(kind, Kind::Fraction | Kind::Count(..)) && !is_plain && !text.starts_with('-') {
        let hint = format!("write {}", kind.wants());
        return Err(Fault::new("bad-number", format!("\"{text}\" is no plain number"), "not a plain number", hint));
    }
    kind.check_text(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str) -> &'static EnvName {
        NAMES.iter().find(|row| row.name == name).unwrap()
    }

    #[test]
    fn every_row_names_a_key_and_every_limit_has_a_row() {
        for row in NAMES {
            let key = SCHEMA.find(&row.path()).unwrap_or_else(|| panic!("{}", row.key));
            let is_time = matches!(key.key.kind, Kind::Span | Kind::SpanOrZero);
            assert!(row.unit == Unit::AsWritten || is_time, "{}", row.name);
        }
        for row in SECRETS {
            assert!(matches!(SCHEMA.find(&KeyPath::dotted(row.key)).unwrap().key.kind, Kind::Secret), "{}", row.key);
        }
        for limit in SCHEMA.rows.iter().map(|row| row.key.path).filter(|path| path.starts_with("limits.")) {
            assert!(NAMES.iter().any(|row| row.key == limit), "{limit}");
        }
    }

    #[test]
    fn values_are_read_strictly() {
        let told = |name: &str, text: &str| row(name).read(text).map_or_else(|fault| fault.hint, |value| value.to_string());
        for (name, text, expected) in [
            ("MAX_NOTIONAL_PER_ORDER", "50", "\"50\""),
            ("MAX_NOTIONAL_PER_ORDER", "50.0", "\"50\""),
            ("MAX_NOTIONAL_PER_ORDER", "50 USDT", "write \"50\"; the currency is limits.currency"),
            ("MAX_NOTIONAL_PER_ORDER", "", "write money as a decimal string"),
            ("MAX_NOTIONAL_PER_ORDER", "-5", "write zero or more"),
            ("MAX_DD_DAILY", "0.03", "0.03"),
            ("MAX_DD_DAILY", ".03", "0.03"),
            ("MAX_DD_DAILY", "3", "did you mean 0.03?"),
            ("MAX_DD_DAILY", "3%", "did you mean 0.03?"),
            ("MAX_DD_DAILY", "1", "write 0.01 for 1 %, or 1.0 for 100 %"),
            ("MAX_DD_DAILY", "0x1", "write a fraction between 0 and 1"),
            ("LATENCY_THRESHOLD_MS", "500", "\"500ms\""),
            ("LATENCY_THRESHOLD_MS", "1500", "\"1500ms\""),
            ("LATENCY_THRESHOLD_MS", "0.5", "write a whole number of milliseconds, without a unit"),
            ("LATENCY_THRESHOLD_MS", "500ms", "write a whole number of milliseconds, without a unit"),
            ("LATENCY_THRESHOLD", "2s", "\"2s\""),
            ("LATENCY_THRESHOLD", "500", "write \"500s\" for seconds, or another of ms, s, m, h, d, w"),
            ("PAUSE_MINUTES", "5", "\"5m\""),
            ("PAUSE_MINUTES", "90", "\"90m\""),
            ("MAX_OPEN_ORDERS", "1_0", "write a whole number from 0 to 10000"),
            ("MAX_OPEN_ORDERS", "4", "4"),
        ] {
            assert_eq!(told(name, text), expected, "{name}={text}");
        }
        assert!(row("LATENCY_THRESHOLD_MS").read("99999999999999999999").is_err());
        assert!(row("PAUSE_MINUTES").read("999999999999999").is_err());
        assert_eq!(row("PAUSE_MINUTES").read("0").unwrap_err().code, "out-of-range");
    }

    #[test]
    fn names_that_may_hold_secrets_are_known() {
        for name in ["BINANCE_API_KEY", "SMTP_USER", "my_token", "DB_PASSWORD", "STRIPE_PRIVATE"] {
            assert!(is_secretive(name), "{name}");
        }
        assert!(NAMES.iter().all(|row| !is_secretive(row.name)));
    }
}
