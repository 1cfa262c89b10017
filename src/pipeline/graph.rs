//! How stages are joined: order, circles, and the path from bars to orders.

use std::collections::BTreeSet;

/// What a stage does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum StageKind {
    Ingest,
    Model,
    Oms,
    Alert,
}

impl StageKind {
    pub const ALL: [Self; 4] = [Self::Ingest, Self::Model, Self::Oms, Self::Alert];

    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Model => "model",
            Self::Oms => "oms",
            Self::Alert => "alert",
        }
    }

    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == word)
    }
}

/// A stage as far as its neighbours are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joint {
    pub name: String,
    pub kind: StageKind,
    pub needs: Vec<String>,
}

/// The order in which stages run: each after all it needs, otherwise by kind and name, so that it is the same every time.
///
/// # Errors
/// The names of one circle, in the order of need, the first one repeated at the end.
pub fn order(joints: &[Joint]) -> Result<Vec<usize>, Vec<String>> {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    let mut order = Vec::with_capacity(joints.len());
    while order.len() < joints.len() {
        let ready = |at: &usize| {
            let joint = &joints[*at];
            !order.contains(at) && joint.needs.iter().all(|need| done.contains(need.as_str()) || !is_known(joints, need))
        };
        let next = (0..joints.len()).filter(ready).min_by_key(|at| (joints[*at].kind, &joints[*at].name));
        let Some(next) = next else { return Err(circle(joints, &done)) };
        done.insert(&joints[next].name);
        order.push(next);
    }
    Ok(order)
}

fn is_known(joints: &[Joint], name: &str) -> bool {
    joints.iter().any(|joint| joint.name == name)
}

/// Walks from need to need among the stages that never became ready, until one comes back.
fn circle(joints: &[Joint], done: &BTreeSet<&str>) -> Vec<String> {
    let find = |name: &str| joints.iter().find(|joint| joint.name == name && !done.contains(name));
    let mut at = joints.iter().find(|joint| !done.contains(joint.name.as_str())).expect("a stage is left over");
    let mut walk: Vec<String> = Vec::new();
    loop {
        if let Some(start) = walk.iter().position(|name| *name == at.name) {
            let mut circle = walk.split_off(start);
            circle.push(at.name.clone());
            return circle;
        }
        walk.push(at.name.clone());
        at = at.needs.iter().find_map(|need| find(need)).expect("a stage that is not ready needs one that is not done");
    }
}

/// Does the stage `name` need one of `kind`, directly or not?
#[must_use]
pub fn reaches(joints: &[Joint], name: &str, kind: StageKind) -> Option<String> {
    let mut open: Vec<&str> = vec![name];
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    while let Some(next) = open.pop() {
        let Some(joint) = joints.iter().find(|joint| joint.name == next) else { continue };
        for need in &joint.needs {
            if !seen.insert(need) {
                continue;
            }
            if joints.iter().any(|joint| joint.name == *need && joint.kind == kind) {
                return Some(need.clone());
            }
            open.push(need);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joints(text: &[(&str, StageKind, &[&str])]) -> Vec<Joint> {
        let joint = |(name, kind, needs): &(&str, StageKind, &[&str])| Joint {
            name: (*name).to_owned(),
            kind: *kind,
            needs: needs.iter().map(|n| (*n).to_owned()).collect(),
        };
        text.iter().map(joint).collect()
    }

    /// PIPELINE-2.
    #[test]
    fn a_stage_runs_after_all_it_needs() {
        let stages = joints(&[
            ("z", StageKind::Alert, &["orders"]),
            ("orders", StageKind::Oms, &["m"]),
            ("m", StageKind::Model, &["bars"]),
            ("bars", StageKind::Ingest, &[]),
        ]);
        assert_eq!(order(&stages), Ok(vec![3, 2, 1, 0]));
        assert_eq!(reaches(&stages, "orders", StageKind::Ingest), Some("bars".to_owned()));
        assert_eq!(reaches(&stages, "m", StageKind::Oms), None);
    }

    #[test]
    fn a_circle_is_named() {
        let stages = joints(&[
            ("a", StageKind::Ingest, &[]),
            ("b", StageKind::Model, &["a", "c"]),
            ("c", StageKind::Oms, &["b"]),
            ("d", StageKind::Alert, &["c"]),
        ]);
        let names = order(&stages).unwrap_err();
        assert_eq!(names, ["b", "c", "b"]);
        let own = joints(&[("a", StageKind::Ingest, &["a"])]);
        assert_eq!(order(&own).unwrap_err(), ["a", "a"]);
    }
}
