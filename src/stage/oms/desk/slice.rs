//! An exit in parts, each within what one order may be.

use crate::domain::{Money, Price, Qty};

/// The most orders that one exit is sliced into at one close; the rest follows at the next.
pub const SLICES_MAX: usize = 50;

/// Parts of `qty` that are each worth at most `max` at `price`, as equal as the step allows. `None` does not hold an exit back: it goes
/// in one part. Where so many parts cannot hold all of it, they hold what they can.
pub fn slice(qty: Qty, price: Price, max: Option<Money>, step: Qty) -> Vec<Qty> {
    let Some(max) = max.filter(|max| price.notional(qty) > *max) else { return vec![qty] };
    let fewest = price.notional(qty).count().div_euclid(max.count()) + 1;
    let mut parts = usize::try_from(fewest).unwrap_or(SLICES_MAX).min(SLICES_MAX);
    loop {
        let mut slices = qty.split(parts, step);
        // Rounding to whole steps can push the first part over: one more part mends it.
        if price.notional(slices[0]) > max {
            if parts < SLICES_MAX {
                parts += 1;
                continue;
            }
            // One step is the least that can be sold, whatever it is worth.
            let most = max.quantity_floor(price).truncate_to(step).max(step);
            slices.iter_mut().for_each(|slice| *slice = (*slice).min(most));
        }
        return slices.into_iter().filter(|slice| slice.is_positive()).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(qty: &str, max: Option<&str>) -> Vec<String> {
        let (price, step) = ("100".parse().unwrap(), "0.01".parse().unwrap());
        slice(qty.parse().unwrap(), price, max.map(|max| max.parse().unwrap()), step).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_part_is_within_the_limit() {
        assert_eq!(parts("1", None), ["1"]);
        assert_eq!(parts("1", Some("100")), ["1"]);
        assert_eq!(parts("1", Some("99")), ["0.5", "0.5"]);
        assert_eq!(parts("1", Some("34")), ["0.34", "0.33", "0.33"]);
    }

    /// C36: the rest follows at the next close, and no order is above the limit.
    #[test]
    fn what_fifty_orders_cannot_hold_waits() {
        let all = parts("1000", Some("100"));
        assert_eq!((all.len(), all.iter().all(|part| part == "1")), (SLICES_MAX, true));
        assert_eq!(parts("100", Some("0.5")), vec!["0.01"; SLICES_MAX], "no less can be sold");
    }
}
