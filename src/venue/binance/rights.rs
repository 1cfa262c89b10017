//! What a key may do, and what of it must not be used with money.

use super::Client;
use crate::venue::wire::{Account, Answer, Failure, Request, Restrictions};

/// What a key may do, as far as the venue says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyRights {
    /// The venue showed its account.
    pub can_read: bool,
    pub can_trade: bool,
    /// Out of the account in any way. `None`: the venue does not say, as practice venues do not.
    pub can_withdraw: Option<bool>,
    /// It is taken only from addresses that its owner has listed.
    pub is_bound_to_addresses: Option<bool>,
}

/// What is wrong with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum KeyFault {
    #[error("the key may not trade")]
    CannotTrade,
    #[error("the key may withdraw: whoever has it can empty the account")]
    CanWithdraw,
    #[error("the venue does not say whether the key may withdraw")]
    Untold,
    #[error("the key is taken from any address")]
    BoundToNoAddress,
}

impl KeyFault {
    /// Must nothing be traded with real money under such a key?
    #[must_use]
    pub const fn refuses_money(self) -> bool {
        !matches!(self, Self::BoundToNoAddress)
    }

    /// What a person does about it.
    #[must_use]
    pub const fn hint(self) -> &'static str {
        match self {
            Self::CannotTrade => "allow \"Spot & Margin Trading\" for the key on the venue's page of API keys",
            Self::CanWithdraw => "make a key that may not withdraw or transfer, name it in [venue.binance], and delete this one",
            Self::Untold => "try again: nothing is traded with real money while this is not known",
            Self::BoundToNoAddress => "list this machine's address for the key on the venue's page of API keys",
        }
    }
}

impl KeyRights {
    /// By the account, and by the page on the key where there is one.
    #[must_use]
    pub fn of(account: &Account, told: Option<Restrictions>) -> Self {
        Self {
            can_read: true,
            can_trade: account.can_trade && told.is_none_or(|told| told.can_trade),
            can_withdraw: told.map(|told| told.can_withdraw),
            is_bound_to_addresses: told.map(|told| told.is_bound_to_addresses),
        }
    }

    /// What is wrong with it, the worst first. What is not told is wrong.
    #[must_use]
    pub fn faults(&self) -> Vec<KeyFault> {
        let found = [
            (!self.can_trade).then_some(KeyFault::CannotTrade),
            (self.can_withdraw == Some(true)).then_some(KeyFault::CanWithdraw),
            self.can_withdraw.is_none().then_some(KeyFault::Untold),
            (self.is_bound_to_addresses == Some(false)).then_some(KeyFault::BoundToNoAddress),
        ];
        found.into_iter().flatten().collect()
    }
}

impl Client {
    /// Asks what the key may do. Hosts for practice have no page on keys and are not asked for it: what stands before them may take
    /// the question for an attack.
    ///
    /// # Errors
    /// When the venue shows no account, or does not answer. A page that cannot be read leaves [`KeyFault::Untold`].
    pub async fn rights(&self) -> Result<KeyRights, Failure> {
        let account = match self.call(&Request::Account).await? {
            Answer::Account(account) => account,
            _ => return Err(Failure::Protocol("no account in the answer".to_owned())),
        };
        if !self.tells_rights() {
            return Ok(KeyRights::of(&account, None));
        }
        let told = match self.call(&Request::Restrictions).await {
            Ok(Answer::Restrictions(told)) => Some(told),
            Err(failure @ (Failure::NotSent(_) | Failure::Key { .. } | Failure::Throttled { .. } | Failure::Banned { .. })) => {
                return Err(failure);
            }
            Ok(_) | Err(_) => None,
        };
        Ok(KeyRights::of(&account, told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Time;

    fn rights(account_trades: bool, told: Option<(bool, bool, bool)>) -> KeyRights {
        let at = Time::from_millis(0);
        let account = Account { id: String::new(), can_trade: account_trades, can_withdraw: true, balances: Vec::new(), at };
        let told = told.map(|(can_trade, can_withdraw, is_bound_to_addresses)| Restrictions {
            is_bound_to_addresses,
            can_trade,
            can_withdraw,
        });
        KeyRights::of(&account, told)
    }

    /// C30, I11.
    #[test]
    fn what_is_wrong_with_a_key() {
        use KeyFault::{BoundToNoAddress, CanWithdraw, CannotTrade, Untold};
        assert_eq!(rights(true, Some((true, false, true))).faults(), []);
        assert_eq!(rights(true, Some((true, false, false))).faults(), [BoundToNoAddress]);
        assert_eq!(rights(true, Some((true, true, true))).faults(), [CanWithdraw]);
        assert_eq!(rights(true, Some((false, false, true))).faults(), [CannotTrade]);
        assert_eq!(rights(false, Some((true, false, true))).faults(), [CannotTrade], "the account may not");
        assert_eq!(rights(true, None).faults(), [Untold], "what is not told is not fine");
        assert!(
            [CannotTrade, CanWithdraw, Untold].iter().all(|fault| fault.refuses_money()) && !BoundToNoAddress.refuses_money()
        );
    }
}
