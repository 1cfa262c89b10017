//! The one account of the venue: what it has, and the key to it.

use crate::chance::Stream;
use crate::domain::Qty;
use crate::venue::sim::{Fees, Holder, Key, Lock, Permissions};

use super::VenueSim;

const KEY_LEN: usize = 64;

/// Reads `USDT=1000`.
pub(super) fn balance(text: &str) -> Result<(String, Qty), String> {
    let wrong = || "write it like USDT=1000".to_owned();
    let (asset, amount) = text.split_once('=').ok_or_else(wrong)?;
    let amount: Qty = amount.parse().map_err(|error| format!("{amount} {error}"))?;
    let is_asset = !asset.is_empty() && asset.chars().all(|c| c.is_alphanumeric() && !c.is_lowercase());
    if is_asset && amount >= Qty::ZERO { Ok((asset.to_owned(), amount)) } else { Err(wrong()) }
}

pub(super) struct Account {
    pub key: String,
    secret: String,
    is_secret_ours: bool,
}

impl Account {
    pub(super) fn of(args: &VenueSim) -> Self {
        let mut chance = Stream::new(args.seed, "venue-sim key");
        let (key, secret) = (letters(&mut chance), letters(&mut chance));
        Self {
            key: args.key.clone().unwrap_or(key),
            secret: args.secret.clone().unwrap_or(secret),
            is_secret_ours: args.secret.is_none(),
        }
    }

    /// A secret of our making is worth nothing anywhere else; one that was given may be, so it is not repeated.
    pub(super) fn shown_secret(&self) -> &str {
        if self.is_secret_ours { &self.secret } else { "the one you gave" }
    }

    pub(super) fn holder(&self, args: &VenueSim) -> Holder {
        let mut balances = args.balance.clone();
        for asset in [args.symbol.base(), "BNB"] {
            if !balances.iter().any(|(known, _)| known == asset) {
                balances.push((asset.to_owned(), Qty::ZERO));
            }
        }
        Holder {
            key: Key {
                name: self.key.clone(),
                lock: Lock::hmac(&self.secret),
                permissions: Permissions::default(),
                is_revoked: false,
            },
            balances,
            fees: Fees::default(),
        }
    }
}

/// A key or a secret of our making, in the shape of the venue's.
pub(in crate::cli) fn letters(chance: &mut Stream) -> String {
    const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    (0..KEY_LEN).map(|_| char::from(LETTERS[chance.below(LETTERS.len() as u64) as usize])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balance_names_its_asset() {
        assert_eq!(balance("USDT=1000.5"), Ok(("USDT".to_owned(), "1000.5".parse().unwrap())));
        for wrong in ["USDT", "=1", "usdt=1", "USDT=-1", "USDT=1e3", "USDT="] {
            assert!(balance(wrong).is_err(), "{wrong}");
        }
    }
}
