//! Doing again what another writer of the same series has overtaken.

use super::IngestError;
use crate::store::LakeError;

/// Each attempt that fails is another writer's success; so many in a row are no accident.
const ATTEMPTS_MAX: u32 = 6;

/// Does `work` from its beginning on the newer manifest when another writer was quicker: every figure is then true of what counts.
///
/// # Errors
/// As `work`, and [`LakeError::Overtaken`] when others are always quicker.
pub(super) fn despite_others<T>(mut work: impl FnMut() -> Result<T, IngestError>) -> Result<T, IngestError> {
    for _ in 1..ATTEMPTS_MAX {
        match work() {
            Err(IngestError::Lake(LakeError::Overtaken { .. })) => {}
            other => return other,
        }
    }
    work()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overtaken() -> IngestError {
        LakeError::Overtaken { series: "test/BTC-USDT/1h".parse().unwrap() }.into()
    }

    #[test]
    fn it_is_done_again_until_it_counts() {
        let mut attempts = 0;
        let done = despite_others(|| {
            attempts += 1;
            if attempts < 3 { Err(overtaken()) } else { Ok(attempts) }
        });
        assert_eq!(done.unwrap(), 3);
    }

    #[test]
    fn it_ends() {
        let mut attempts = 0;
        let done: Result<(), _> = despite_others(|| {
            attempts += 1;
            Err(overtaken())
        });
        assert!(matches!(done, Err(IngestError::Lake(LakeError::Overtaken { .. }))));
        assert_eq!(attempts, ATTEMPTS_MAX);
    }

    #[test]
    fn other_errors_are_told_at_once() {
        let mut attempts = 0;
        let done: Result<(), _> = despite_others(|| {
            attempts += 1;
            Err(IngestError::Interrupted)
        });
        assert!(matches!(done, Err(IngestError::Interrupted)));
        assert_eq!(attempts, 1);
    }
}
