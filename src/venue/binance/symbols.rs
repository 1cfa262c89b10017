//! The pipeline's symbols as the venue spells them, both ways.

use std::collections::BTreeMap;

use super::OrdersError;
use crate::domain::{Symbol, SymbolIndex};

/// The symbols that orders may be sent for.
#[derive(Debug, Clone)]
pub struct Symbols {
    symbols: Vec<Symbol>,
    names: Vec<String>,
    by_name: BTreeMap<String, SymbolIndex>,
}

impl Symbols {
    /// # Errors
    /// When two of them are spelled the same.
    pub fn new(symbols: &[Symbol]) -> Result<Self, OrdersError> {
        let names: Vec<String> = symbols.iter().map(Symbol::joined).collect();
        let mut by_name = BTreeMap::new();
        for (at, name) in names.iter().enumerate() {
            let index = SymbolIndex(u16::try_from(at).expect("a pipeline has fewer symbols than 65536"));
            if by_name.insert(name.clone(), index).is_some() {
                return Err(OrdersError::SymbolTwice { symbol: name.clone() });
            }
        }
        Ok(Self { symbols: symbols.to_vec(), names, by_name })
    }

    /// As the venue spells it.
    #[must_use]
    pub fn name(&self, symbol: SymbolIndex) -> Option<&str> {
        self.names.get(symbol.at()).map(String::as_str)
    }

    /// `None`: not one of the pipeline's.
    #[must_use]
    pub fn index(&self, name: &str) -> Option<SymbolIndex> {
        self.by_name.get(name).copied()
    }

    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    #[must_use]
    pub fn symbol(&self, index: SymbolIndex) -> Option<&Symbol> {
        self.symbols.get(index.at())
    }
}
