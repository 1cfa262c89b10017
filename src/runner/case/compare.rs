//! Comparison of a golden with an output, cell by cell. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::align::{Pair, align};
use super::sheet::Sheet;
use crate::domain::decimal;

/// Decimals of the numbers that `exact` compares: those of money.
const SCALE: u32 = 18;

/// How the cells of some columns are compared; all others as text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Rules {
    /// As decimals: `50` is `50.00`, and nothing else.
    pub exact: Vec<String>,
    /// As numbers that may be off by so much, times the golden's size where that is above 1.
    pub tolerance: BTreeMap<String, f64>,
}

/// Why a cell does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// The texts differ, and no rule allows that.
    Text,
    /// The decimals differ in a column that must be exact.
    Exact,
    Beyond {
        off: f64,
        allowed: f64,
    },
    /// A tolerance was given, and one of the two is no number.
    NoNumber,
}

/// One thing in which an output differs from its golden. Rows count from 1, those of `Extra` in the output.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Difference {
    Cell {
        row: usize,
        key: BTreeMap<String, String>,
        column: String,
        golden: String,
        output: String,
        why: Why,
    },
    /// A row of the golden that did not come.
    Missing {
        row: usize,
        cells: Vec<(String, String)>,
    },
    /// A row that the golden does not have.
    Extra {
        row: usize,
        cells: Vec<(String, String)>,
    },
    /// A column of the golden that the output does not have.
    NoColumn {
        column: String,
    },
    /// The golden is no table.
    Unreadable {
        problem: String,
    },
}

/// Compares `output` with `golden` in the golden's columns. Rows are matched by the columns of `keys`; without any, by their
/// whole.
#[must_use]
pub fn compare(golden: &Sheet, output: &Sheet, keys: &[&str], rules: &Rules) -> Vec<Difference> {
    let absent = golden.columns.iter().filter(|name| output.column(name).is_none());
    let mut found: Vec<Difference> = absent.map(|column| Difference::NoColumn { column: column.clone() }).collect();
    if !found.is_empty() {
        return found;
    }
    let output = output.pick(&golden.columns);
    let keys: Vec<usize> = if keys.is_empty() {
        (0..golden.columns.len()).collect()
    } else {
        keys.iter().filter_map(|key| golden.column(key)).collect()
    };
    let key_of = |sheet: &Sheet| -> Vec<Vec<String>> {
        sheet.rows.iter().map(|row| keys.iter().map(|&at| row[at].clone()).collect()).collect()
    };
    let whole = |row: &Vec<String>| golden.columns.iter().cloned().zip(row.iter().cloned()).collect();
    for pair in align(&key_of(golden), &key_of(&output)) {
        match pair {
            Pair::Both(a, b) => cells(golden, a, &output.rows[b], &keys, rules, &mut found),
            Pair::Golden(a) => found.push(Difference::Missing { row: a + 1, cells: whole(&golden.rows[a]) }),
            Pair::Output(b) => found.push(Difference::Extra { row: b + 1, cells: whole(&output.rows[b]) }),
        }
    }
    found
}

fn cells(golden: &Sheet, at: usize, output: &[String], keys: &[usize], rules: &Rules, found: &mut Vec<Difference>) {
    let row = &golden.rows[at];
    for (k, column) in golden.columns.iter().enumerate() {
        let Some(why) = differs(column, &row[k], &output[k], rules) else { continue };
        let key = keys.iter().filter(|&&key| key != k).map(|&key| (golden.columns[key].clone(), row[key].clone()));
        found.push(Difference::Cell {
            row: at + 1,
            key: key.collect(),
            column: column.clone(),
            golden: row[k].clone(),
            output: output[k].clone(),
            why,
        });
    }
}

fn differs(column: &str, golden: &str, output: &str, rules: &Rules) -> Option<Why> {
    if golden == output {
        return None;
    }
    if rules.exact.iter().any(|exact| exact == column) {
        let same = decimal::parse(golden, SCALE).is_ok_and(|a| decimal::parse(output, SCALE) == Ok(a));
        return (!same).then_some(Why::Exact);
    }
    let Some(tolerance) = rules.tolerance.get(column) else { return Some(Why::Text) };
    let number = |text: &str| text.parse::<f64>().ok().filter(|x| x.is_finite());
    let (Some(a), Some(b)) = (number(golden), number(output)) else { return Some(Why::NoNumber) };
    let size = a.abs().max(1.0);
    let (off, allowed) = ((b - a).abs(), tolerance * size);
    // What is exactly as far off as allowed must pass, though binary floats may say otherwise in their last digit.
    (off > allowed + f64::EPSILON * size).then_some(Why::Beyond { off, allowed })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::case::sheet::Form;

    fn sheet(text: &str) -> Sheet {
        Sheet::parse(Form::Csv, text).unwrap()
    }

    fn rules() -> Rules {
        Rules { exact: vec!["qty".to_owned()], tolerance: BTreeMap::from([("price".to_owned(), 0.01)]) }
    }

    /// The differing cells as `row column golden output`.
    fn changed(golden: &str, output: &str) -> Vec<String> {
        let told = |found: &Difference| match found {
            Difference::Cell { row, column, golden, output, .. } => format!("{row} {column} {golden} {output}"),
            Difference::Missing { row, .. } => format!("{row} missing"),
            Difference::Extra { row, .. } => format!("{row} extra"),
            other => format!("{other:?}"),
        };
        compare(&sheet(golden), &sheet(output), &["at"], &rules()).iter().map(told).collect()
    }

    /// CASE-4.
    #[test]
    fn a_changed_cell_is_named() {
        assert_eq!(changed("at,fee\n1,a\n2,b\n", "at,fee\n1,a\n2,c\n"), ["2 fee b c"]);
        let found = compare(&sheet("at,side,fee\n1,buy,a\n"), &sheet("at,side,fee\n1,buy,c\n"), &["at", "side"], &rules());
        let Difference::Cell { key, why, .. } = &found[0] else { panic!("{found:?}") };
        assert_eq!(key.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>(), ["at=1", "side=buy"]);
        assert_eq!(*why, Why::Text);
    }

    #[test]
    fn each_rule_allows_what_it_says_and_no_more() {
        let cell = |column: &str, golden: &str, output: &str| differs(column, golden, output, &rules());
        assert_eq!(cell("fee", "50", "50.00"), Some(Why::Text));
        assert_eq!(cell("qty", "50", "50.00"), None);
        assert_eq!(cell("qty", "50", "50.000000000000000001"), Some(Why::Exact));
        assert_eq!(cell("qty", "50", ""), Some(Why::Exact));
        assert_eq!(cell("price", "0.5", "0.51"), None, "below 1 the tolerance is absolute");
        assert!(matches!(cell("price", "0.5", "0.511"), Some(Why::Beyond { .. })));
        assert_eq!(cell("price", "1000", "1010"), None, "above it is a share");
        assert!(matches!(cell("price", "1000", "1011"), Some(Why::Beyond { off, allowed }) if off == 11.0 && allowed == 10.0));
        assert_eq!(cell("price", "1000", "NaN"), Some(Why::NoNumber));
        assert_eq!(cell("price", "", ""), None);
    }

    #[test]
    fn rows_that_came_or_went_are_told_apart_from_changed_ones() {
        assert_eq!(changed("at,fee\n1,a\n3,c\n", "at,fee\n1,a\n2,b\n3,d\n"), ["2 extra", "2 fee c d"]);
        assert_eq!(changed("at,fee\n1,a\n2,b\n", "at,fee\n2,b\n"), ["1 missing"]);
        assert_eq!(changed("at,fee\n1,a\n", "at,fee\n2,a\n"), ["1 at 1 2"]);
    }

    #[test]
    fn a_golden_chooses_its_columns() {
        assert_eq!(changed("fee\na\n", "at,fee\n1,a\n"), [""; 0]);
        assert_eq!(changed("at,gone\n1,a\n", "at,fee\n1,a\n"), ["NoColumn { column: \"gone\" }"]);
    }
}
