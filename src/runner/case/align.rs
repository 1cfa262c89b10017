//! Which row of a golden is which row of an output.

/// Work on two lists beyond which rows are taken in their order instead of matched: about 0.1 s.
const CELLS_MAX: usize = 4_000_000;

/// A row of the golden, a row of the output, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair {
    Both(usize, usize),
    Golden(usize),
    Output(usize),
}

/// Matches rows by their keys so that the most of them meet, in order. Where as many rows of one side are left as of the other,
/// they are taken for the same rows, changed in their keys.
#[must_use]
pub fn align<K: PartialEq>(golden: &[K], output: &[K]) -> Vec<Pair> {
    let head = golden.iter().zip(output).take_while(|(a, b)| a == b).count();
    let rest = golden[head..].iter().rev().zip(output[head..].iter().rev());
    let tail = rest.take_while(|(a, b)| a == b).count();
    let (golden_end, output_end) = (golden.len() - tail, output.len() - tail);
    let mut pairs: Vec<Pair> = (0..head).map(|at| Pair::Both(at, at)).collect();
    for (k, l) in
        matches(&golden[head..golden_end], &output[head..output_end]).into_iter().chain([(golden_end - head, output_end - head)])
    {
        let (from, to) = (next(&pairs), (head + k, head + l));
        pairs.extend(left(from.0..to.0, from.1..to.1));
        if to != (golden_end, output_end) {
            pairs.push(Pair::Both(to.0, to.1));
        }
    }
    pairs.extend((0..tail).map(|at| Pair::Both(golden_end + at, output_end + at)));
    pairs
}

/// The first rows that no pair holds yet.
fn next(pairs: &[Pair]) -> (usize, usize) {
    let last = |pick: fn(&Pair) -> Option<usize>| pairs.iter().rev().find_map(pick).map_or(0, |at| at + 1);
    let golden = last(|pair| if let Pair::Both(at, _) | Pair::Golden(at) = pair { Some(*at) } else { None });
    let output = last(|pair| if let Pair::Both(_, at) | Pair::Output(at) = pair { Some(*at) } else { None });
    (golden, output)
}

fn left(golden: std::ops::Range<usize>, output: std::ops::Range<usize>) -> Vec<Pair> {
    if golden.len() == output.len() {
        return golden.zip(output).map(|(a, b)| Pair::Both(a, b)).collect();
    }
    golden.map(Pair::Golden).chain(output.map(Pair::Output)).collect()
}

/// The longest common subsequence, as pairs of positions.
fn matches<K: PartialEq>(a: &[K], b: &[K]) -> Vec<(usize, usize)> {
    if a.len().saturating_mul(b.len()) > CELLS_MAX {
        return Vec::new();
    }
    let width = b.len() + 1;
    // longest[i][j] is that of a[i..] and b[j..].
    let mut longest = vec![0_u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i * width + j] = if a[i] == b[j] {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut found) = (0, 0, Vec::new());
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            found.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if longest[(i + 1) * width + j] >= longest[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use Pair::{Both, Golden, Output};
    use proptest::prelude::*;

    fn aligned(golden: &str, output: &str) -> Vec<Pair> {
        align(golden.as_bytes(), output.as_bytes())
    }

    #[test]
    fn a_row_put_in_or_left_out_moves_the_others() {
        assert_eq!(aligned("abc", "abc"), [Both(0, 0), Both(1, 1), Both(2, 2)]);
        assert_eq!(aligned("abc", "axbc"), [Both(0, 0), Output(1), Both(1, 2), Both(2, 3)]);
        assert_eq!(aligned("abc", "ac"), [Both(0, 0), Golden(1), Both(2, 1)]);
        assert_eq!(aligned("", "ab"), [Output(0), Output(1)]);
        assert_eq!(aligned("aaa", "aaaa"), [Both(0, 0), Both(1, 1), Both(2, 2), Output(3)], "the last of equal ones is extra");
    }

    #[test]
    fn as_many_changed_rows_are_the_same_rows() {
        assert_eq!(aligned("axc", "ayc"), [Both(0, 0), Both(1, 1), Both(2, 2)]);
        assert_eq!(aligned("axyc", "azc"), [Both(0, 0), Golden(1), Golden(2), Output(1), Both(3, 2)]);
    }

    proptest! {
        /// Every row of both sides stands in exactly one pair, in order.
        #[test]
        fn no_row_is_lost(golden in "[abc]{0,12}", output in "[abc]{0,12}") {
            let pairs = aligned(&golden, &output);
            let ours: Vec<usize> = pairs.iter().filter_map(|p| if let Both(a, _) | Golden(a) = p { Some(*a) } else { None }).collect();
            let theirs: Vec<usize> = pairs.iter().filter_map(|p| if let Both(_, b) | Output(b) = p { Some(*b) } else { None }).collect();
            prop_assert_eq!(ours, (0..golden.len()).collect::<Vec<_>>());
            prop_assert_eq!(theirs, (0..output.len()).collect::<Vec<_>>());
        }
    }
}
