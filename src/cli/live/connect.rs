//! The connection to a venue: key, address, clock and rules.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;

use super::super::Context;
use super::super::exit::{Exit, Failure, OrExit};
use super::words::failure_hint;
use crate::clock::Clock;
use crate::domain::Symbol;
use crate::feed::binance::{Address, Service, is_loopback};
use crate::profile::{BinanceConfig, Mode, Profile};
use crate::runner::trader::TraderConfig;
use crate::secret::Secrets;
use crate::venue::binance::{Client, ClientConfig, Key, KeyFault, Symbols};

/// An open way to the venue.
pub struct Connection {
    pub client: Arc<Client>,
    pub address: Address,
}

/// Opens the way to the profile's venue and reads its clock and rules.
///
/// # Errors
/// When the key is not named or cannot be had, the address is not on the list, or the venue does not answer.
pub async fn connect(context: &Context, profile: &Profile, symbols: &[Symbol], local: &Path) -> Result<Connection, Failure> {
    let Some(config) = profile.binance() else {
        let error = anyhow!("profile {} names no key for its venue", profile.name());
        return Err(Failure::new(Exit::Configuration, error)
            .hint("set venue.binance.api_key and venue.binance.api_secret, like \"env:BINANCE_API_KEY\""));
    };
    let service = if profile.mode() == Mode::Live { Service::Orders } else { Service::Practice };
    let address = Address::new(service, &config.base_url).or_exit(Exit::Configuration)?;
    let patience = config.order_timeout.to_std();
    let client = open(context, context.clock.clone(), config, &address, symbols, local, patience)?;
    client.maintain().await.map_err(|failure| failure_hint(&address, failure))?;
    Ok(Connection { client, address })
}

/// A client for the venue of `config`; nothing is asked yet.
///
/// # Errors
/// When the key cannot be had, or nobody can tell whether the venue may be asked.
pub fn open(
    context: &Context,
    clock: Arc<dyn Clock>,
    config: &BinanceConfig,
    address: &Address,
    symbols: &[Symbol],
    local: &Path,
    order_timeout: Duration,
) -> Result<Arc<Client>, Failure> {
    let secrets = Secrets::of_this_process(&context.root);
    let resolve = |key: &str, reference| {
        let resolved = secrets.resolve(reference).map_err(|error| anyhow::Error::new(error).context(format!("cannot use {key}")));
        resolved.or_exit(Exit::Configuration)
    };
    let api_key = resolve("venue.binance.api_key", &config.api_key)?;
    let secret = resolve("venue.binance.api_secret", &config.api_secret)?;
    let key = Arc::new(Key::new(&api_key, &secret).or_exit(Exit::Configuration)?);
    let config = ClientConfig { address: address.clone(), order_timeout, lake: local.to_owned() };
    Ok(Arc::new(Client::open(&config, key, Symbols::new(symbols)?, clock)?))
}

/// What kind of venue the profile's orders go to: the account's second name, in every record and report. Practice on one venue is
/// neither paper nor practice on another.
#[must_use]
pub fn venue_word(profile: &Profile) -> &'static str {
    let url = profile.binance().map_or("", |config| config.base_url.trim_end_matches('/'));
    match url {
        _ if profile.mode() == Mode::Live => "live",
        _ if is_loopback(url) => "loopback",
        "https://demo-api.binance.com" => "demo",
        _ => "testnet",
    }
}

impl Connection {
    /// What is wrong with the key, as lines for people. Real money is not traded under a key that may withdraw or may not trade. C30.
    ///
    /// # Errors
    /// [`Exit::Refused`] under a live profile, with what to do; when the venue does not answer.
    pub async fn judge_key(&self, mode: Mode) -> Result<Vec<String>, Failure> {
        let rights = self.client.rights().await.map_err(|failure| failure_hint(&self.address, failure))?;
        judge(mode, &rights.faults())
    }

    /// The trader with the venue's own rules for ticks, steps and least amounts.
    ///
    /// # Errors
    /// When the venue does not trade one of the symbols, or its rules cannot be read.
    pub fn fit(&self, mut trader: TraderConfig) -> Result<TraderConfig, Failure> {
        let rules = self.client.rules().ok_or_else(|| anyhow!("the venue's rules were not read"))?;
        for instrument in &mut trader.desk.instruments {
            let Some(found) = rules.instrument(&instrument.symbol) else {
                let error =
                    anyhow!("{} does not trade {}, or its rules cannot be read", self.address.as_str(), instrument.symbol);
                return Err(Failure::new(Exit::Refused, error).hint("see what it trades, or take the symbol out of the pipeline"));
            };
            *instrument = found;
        }
        trader.paper.instruments.clone_from(&trader.desk.instruments);
        Ok(trader)
    }
}

/// I11: a live start is refused; practice goes on with a word about it. That a practice venue says nothing of its keys is no word.
fn judge(mode: Mode, faults: &[KeyFault]) -> Result<Vec<String>, Failure> {
    if let (Mode::Live, Some(fault)) = (mode, faults.iter().find(|fault| fault.refuses_money())) {
        let error = anyhow!("{fault}: nothing is traded with real money under such a key");
        return Err(Failure::new(Exit::Refused, error).hint(fault.hint()));
    }
    let told = faults.iter().filter(|fault| **fault != KeyFault::Untold);
    Ok(told.map(|fault| format!("{fault}; {}", fault.hint())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// C30, I11.
    #[test]
    fn a_key_that_may_withdraw_never_trades_real_money() {
        use KeyFault::{BoundToNoAddress, CanWithdraw, CannotTrade, Untold};
        for fault in [CannotTrade, CanWithdraw, Untold] {
            let failure = judge(Mode::Live, &[fault, BoundToNoAddress]).unwrap_err();
            assert!(failure.exit == Exit::Refused && failure.error.to_string().starts_with(&fault.to_string()), "{fault}");
        }
        let told = judge(Mode::Live, &[BoundToNoAddress]).unwrap();
        assert!(told.len() == 1 && told[0].starts_with("the key is taken from any address; list this machine"), "{told:?}");
        assert_eq!(judge(Mode::Paper, &[Untold]).unwrap(), [""; 0]);
        assert_eq!(judge(Mode::Paper, &[CanWithdraw, BoundToNoAddress]).unwrap().len(), 2);
    }
}
