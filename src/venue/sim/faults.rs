//! What goes wrong at the venue, and when: an explicit list, or drawn from a seed, or both.

use serde::{Deserialize, Serialize};

use super::log::Endpoint;
use super::rules::SymbolStatus;
use crate::chance::Stream;
use crate::domain::{Fraction, Price, Qty, Span};

/// What a rule waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum On {
    Place,
    Test,
    Cancel,
    CancelAll,
    Query,
    OpenOrders,
    AllOrders,
    MyTrades,
    Account,
    Time,
    Rules,
    Bars,
    /// Any request.
    Request,
    /// Any move of the market.
    Move,
    /// Any event on a user stream.
    Event,
    /// An event that tells of a fill.
    FillEvent,
}

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum When {
    /// That of this number, counted from one since the rule is in force.
    Nth(u64),
    /// That of this number and all later ones.
    From(u64),
    /// Each with this probability.
    Rate(f64),
}

/// An answer of 200 that is not an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Garble {
    Empty,
    Html,
    /// A status that no document names.
    Status,
    Symbol,
    Side,
    ClientId,
}

/// What goes wrong. `accepted` says whether the venue does what it was asked all the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "kebab-case")]
pub enum Fault {
    /// No answer ever.
    Lost {
        accepted: bool,
    },
    /// The connection ends behind so many bytes of the answer's body, or before its head.
    Cut {
        accepted: bool,
        after: usize,
    },
    /// An internal error, in the venue's words for the code.
    Broken {
        accepted: bool,
        status: u16,
        code: i64,
    },
    /// A page of something in front of the venue.
    Html {
        accepted: bool,
        status: u16,
    },
    /// Any error answer.
    Answer {
        accepted: bool,
        status: u16,
        code: i64,
        msg: String,
    },
    /// Done and not answered, and questions do not find it for a while.
    Hidden {
        span: Span,
    },
    Garbled {
        garble: Garble,
    },
    /// 429; `retry_after` is sent as it stands.
    Throttled {
        retry_after: Option<String>,
    },
    /// 418 for so long.
    Banned {
        span: Span,
    },
    /// A byte a second.
    Slow,
    /// A body of so many bytes.
    Oversized {
        bytes: usize,
    },
    /// The answer comes late.
    Late {
        span: Span,
    },
    /// To another host.
    Redirect {
        to: String,
    },
    /// The order meets the market later than its answer.
    LateFill {
        span: Span,
    },
    /// The book has this share of the order and no more.
    Partial {
        share: Fraction,
    },
    /// The book has nothing for the order.
    EmptyBook,
    /// The order is filled while the request to cancel it is on its way.
    FilledFirst,
    /// The order is filled although it has ended, `over` what was asked.
    StrayFill {
        span: Span,
        over: bool,
    },
    /// A symbol, or all of them, get another status.
    Status {
        symbol: Option<String>,
        status: SymbolStatus,
    },
    /// Other filters from here on.
    Filters {
        price_tick: Option<Price>,
        qty_step: Option<Qty>,
        notional_min: Option<Qty>,
    },
    /// The venue's clock is ahead by this, from here on.
    Clock {
        off: Span,
    },
    /// The keys of all accounts are not accepted any more.
    KeyRevoked,
    /// Somebody deposits, or withdraws a negative amount.
    Moved {
        asset: String,
        by: Qty,
    },
    /// Somebody else buys at the market with this amount of the quote currency.
    Foreign {
        quote: Qty,
    },
    /// Every connection ends without a word.
    CutStreams,
    /// The venue says that it goes down, and ends connections ten seconds later.
    Shutdown,
    /// Connections stay open and nothing comes any more.
    Silence,
    /// The event is never sent.
    Dropped,
    /// The event is sent twice.
    Doubled,
    LateEvent {
        span: Span,
    },
    /// The event is sent behind the next one.
    Swapped,
}

impl Fault {
    /// Is the request still carried out?
    pub(super) const fn lets_through(&self) -> bool {
        match self {
            Self::Lost { accepted }
            | Self::Cut { accepted, .. }
            | Self::Broken { accepted, .. }
            | Self::Html { accepted, .. }
            | Self::Answer { accepted, .. } => *accepted,
            Self::Throttled { .. } | Self::Banned { .. } | Self::Redirect { .. } => false,
            _ => true,
        }
    }

    /// Does it happen to an event rather than to a request?
    const fn is_of_event(&self) -> bool {
        matches!(self, Self::Dropped | Self::Doubled | Self::LateEvent { .. } | Self::Swapped)
    }
}

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    pub on: On,
    pub when: When,
    #[serde(flatten)]
    pub fault: Fault,
    #[serde(skip)]
    seen: u64,
}

impl Rule {
    #[must_use]
    pub const fn new(on: On, when: When, fault: Fault) -> Self {
        Self { on, when, fault, seen: 0 }
    }
}

/// All that goes wrong.
#[derive(Debug, Clone)]
pub struct Script {
    rules: Vec<Rule>,
    chance: Stream,
}

impl On {
    fn fits(self, endpoint: Endpoint) -> bool {
        match self {
            Self::Request => true,
            Self::Place => endpoint == Endpoint::Place,
            Self::Test => endpoint == Endpoint::Test,
            Self::Cancel => endpoint == Endpoint::Cancel,
            Self::CancelAll => endpoint == Endpoint::CancelAll,
            Self::Query => endpoint == Endpoint::Query,
            Self::OpenOrders => endpoint == Endpoint::OpenOrders,
            Self::AllOrders => endpoint == Endpoint::AllOrders,
            Self::MyTrades => endpoint == Endpoint::MyTrades,
            Self::Account => endpoint == Endpoint::Account,
            Self::Time => endpoint == Endpoint::Time,
            Self::Rules => endpoint == Endpoint::Rules,
            Self::Bars => endpoint == Endpoint::Bars,
            Self::Move | Self::Event | Self::FillEvent => false,
        }
    }
}

impl Script {
    /// Nothing goes wrong, until rules are added.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { rules: Vec::new(), chance: Stream::new(seed, "venue faults") }
    }

    /// Everything that an honest client survives, each now and then: `strength` 1 is about one request of orders in seven.
    #[must_use]
    pub fn weather(seed: u64, strength: f64) -> Self {
        let mut script = Self::new(seed);
        let mut add = |on, rate: f64, fault| script.rules.push(Rule::new(on, When::Rate(rate * strength), fault));
        let secs = Span::from_secs;
        for accepted in [true, false] {
            add(On::Place, 0.01, Fault::Lost { accepted });
            add(On::Place, 0.01, Fault::Cut { accepted, after: 40 });
            add(On::Place, 0.01, Fault::Broken { accepted, status: 504, code: -1007 });
            add(On::Cancel, 0.01, Fault::Broken { accepted, status: 500, code: -1001 });
            add(On::Cancel, 0.01, Fault::Lost { accepted });
        }
        add(On::Place, 0.01, Fault::Hidden { span: secs(8) });
        add(On::Place, 0.01, Fault::Garbled { garble: Garble::Html });
        add(On::Place, 0.01, Fault::Garbled { garble: Garble::Empty });
        add(On::Place, 0.02, Fault::LateFill { span: secs(3) });
        add(On::Place, 0.02, Fault::Partial { share: Fraction::from_f64(0.4).expect("a literal fraction") });
        add(On::Place, 0.005, Fault::EmptyBook);
        add(On::Place, 0.005, Fault::Html { accepted: false, status: 403 });
        add(On::Place, 0.005, Fault::Throttled { retry_after: Some("3".to_owned()) });
        add(On::Request, 0.001, Fault::Throttled { retry_after: None });
        add(On::Request, 0.0005, Fault::Banned { span: secs(120) });
        add(On::Query, 0.01, Fault::Broken { accepted: true, status: 502, code: -1001 });
        add(On::Cancel, 0.01, Fault::FilledFirst);
        add(On::Request, 0.005, Fault::Late { span: secs(2) });
        add(On::Event, 0.02, Fault::Dropped);
        add(On::Event, 0.03, Fault::Doubled);
        add(On::Event, 0.03, Fault::Swapped);
        add(On::Event, 0.02, Fault::LateEvent { span: secs(4) });
        add(On::Move, 0.0005, Fault::CutStreams);
        add(On::Move, 0.0002, Fault::Silence);
        add(On::Move, 0.0002, Fault::Shutdown);
        for millis in [900, -900, 0] {
            add(On::Move, 0.0002, Fault::Clock { off: Span::from_millis(millis) });
        }
        script
    }

    #[must_use]
    pub fn with(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    pub fn add(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    /// No rule is in force any more.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// What goes wrong with a request: the first rule that comes true, while each counts.
    pub(super) fn of_request(&mut self, endpoint: Endpoint) -> Option<Fault> {
        self.draw(|rule| rule.on.fits(endpoint) && !rule.fault.is_of_event())
    }

    pub(super) fn of_move(&mut self) -> Option<Fault> {
        self.draw(|rule| rule.on == On::Move)
    }

    pub(super) fn of_event(&mut self, is_fill: bool) -> Option<Fault> {
        self.draw(|rule| rule.fault.is_of_event() && (rule.on == On::Event || (is_fill && rule.on == On::FillEvent)))
    }

    fn draw(&mut self, fits: impl Fn(&Rule) -> bool) -> Option<Fault> {
        let mut found = None;
        for rule in &mut self.rules {
            if !fits(rule) {
                continue;
            }
            rule.seen += 1;
            let is_true = match rule.when {
                When::Nth(number) => rule.seen == number,
                When::From(number) => rule.seen >= number,
                // Drawn also when another rule came first: what happens later does not depend on it.
                When::Rate(rate) => self.chance.happens(rate),
            };
            if is_true && found.is_none() {
                found = Some(rule.fault.clone());
            }
        }
        found
    }
}

/// The venue's words for an internal error.
pub(super) const fn words(code: i64) -> &'static str {
    match code {
        -1001 => "Internal error; unable to process your request. Please try again.",
        -1006 => "An unexpected response was received from the message bus. Execution status unknown.",
        -1007 => "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
        -1008 => "Server is currently overloaded with other requests. Please try again in a few minutes.",
        _ => "An unknown error occurred while processing the request.",
    }
}

/// A file of rules: `[[rule]]` tables with `on`, `when` and `fault`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    rule: Vec<Rule>,
}

impl Script {
    /// Reads rules from TOML.
    ///
    /// # Errors
    /// When it is no TOML, or names no fault that there is.
    pub fn from_toml(text: &str, seed: u64) -> Result<Self, toml::de::Error> {
        let file: File = toml::from_str(text)?;
        Ok(Self { rules: file.rule, ..Self::new(seed) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_counts_and_a_seed_draws_the_same_again() {
        let lost = Fault::Lost { accepted: true };
        let mut script = Script::new(1).with(Rule::new(On::Place, When::Nth(3), lost.clone()));
        let places: Vec<bool> = (0..4).map(|_| script.of_request(Endpoint::Place).is_some()).collect();
        assert_eq!(places, [false, false, true, false]);
        assert_eq!(script.of_request(Endpoint::Query), None);
        let drawn = |seed| -> Vec<Option<Fault>> {
            let mut script = Script::weather(seed, 1.0);
            (0..500).map(|_| script.of_request(Endpoint::Place)).collect()
        };
        assert_eq!(drawn(5), drawn(5));
        assert_ne!(drawn(5), drawn(6));
        let count = drawn(5).iter().flatten().count();
        assert!((40..120).contains(&count), "{count} of 500");
    }

    #[test]
    fn events_and_requests_have_rules_of_their_own() {
        let mut script = Script::new(1).with(Rule::new(On::FillEvent, When::From(1), Fault::Doubled)).with(Rule::new(
            On::Move,
            When::Nth(1),
            Fault::CutStreams,
        ));
        assert_eq!((script.of_event(false), script.of_event(true)), (None, Some(Fault::Doubled)));
        assert_eq!(script.of_request(Endpoint::Place), None);
        assert_eq!((script.of_move(), script.of_move()), (Some(Fault::CutStreams), None));
    }

    #[test]
    fn a_file_is_read_and_what_it_misspells_is_refused() {
        let text = "[[rule]]\non = \"place\"\nwhen = { nth = 3 }\nfault = \"broken\"\naccepted = true\nstatus = 504\ncode = -1007\n\n\
                    [[rule]]\non = \"event\"\nwhen = { rate = 0.1 }\nfault = \"late-event\"\nspan = \"4s\"\n";
        let script = Script::from_toml(text, 1).unwrap();
        assert_eq!(script.rules[0].fault, Fault::Broken { accepted: true, status: 504, code: -1007 });
        assert_eq!(script.rules[1].fault, Fault::LateEvent { span: Span::from_secs(4) });
        assert!(Script::from_toml(&text.replace("broken", "brokne"), 1).is_err());
    }
}
