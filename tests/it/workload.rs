//! The speed workload, for its result: five programs of other people agree on it to the last digit.

use crate::project::Project;
use crate::{python, shared};

/// Writes the workload's bars as klines, from the workload's own generator and without its other files.
const BARS: &str = r#"
import sys
source = open(sys.argv[1]).read().replace("main(sys.argv[1])", "")
exec(source)
ts, o, h, l, c, v = gbm(1051200, 42)
with open(sys.argv[2], "w") as f:
    for i in range(len(ts)):
        f.write("%d,%r,%r,%r,%r,%r,%d,0,0,0,0,0\n" % (ts[i], float(o[i]), float(h[i]), float(l[i]), float(c[i]), float(v[i]), ts[i] + 59999))
"#;

const PROFILE: &str = r#"
[profile]
inherits = "base"
pipeline = "workload"
[limits]
max_notional_per_order = "1000"
max_position_notional = "4000"
max_total_notional = "4000"
max_daily_turnover = "1000000"
max_dd_daily = 0.05
max_dd_weekly = 0.10
max_orders_per_day = 1000000
max_participation = 1.0
[risk]
max_reference_move = 1.0
[venue.paper]
equity = "10000"
maker_bps = 10
taker_bps = 10
slippage_bps = 0
qty_step = "0.000001"
min_notional = "0"
"#;

/// A signal at bar 500 has seen 501 closes.
const PIPELINE: &str = r#"
[pipeline]
summary = "two years of minutes, long while the fast mean is above the slow one"
[stage.ingest]
kind = "ingest"
source = "file"
path = "BTCUSDT-1m-workload.csv"
symbols = ["BTC/USDT"]
interval = "1m"
[stage.model]
kind = "model"
needs = ["ingest"]
model = "ema-cross"
params = { fast = 12, slow = 26, signal = "state", seed = "first", warmup = 501 }
[stage.model.sizing]
kind = "fixed-notional"
notional = "50"
[stage.oms]
kind = "oms"
needs = ["model"]
order = "market"
sized_in = "base"
"#;

#[test]
fn the_workload_gives_the_fills_and_the_equity_that_others_give() {
    let Some(generator) = shared::path("bench/gen.py") else { return };
    let project = Project::new();
    std::fs::write(project.path().join("profiles/workload.toml"), PROFILE).unwrap();
    std::fs::write(project.path().join("pipelines/workload.toml"), PIPELINE).unwrap();
    let bars = project.path().join("BTCUSDT-1m-workload.csv");
    if python::run(BARS, &[&generator, &bars]).is_none() {
        return;
    }
    let (out, _) = project.expect(0, &["replay", "-p", "workload", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&out).unwrap();
    let data = &document["data"];
    assert_eq!(data["bars"], 1_051_200);
    assert_eq!(data["tally"]["fills"], 37_885);
    assert_eq!(data["tally"]["denied"], 0);
    let equity: f64 = data["summary"]["end_equity"].as_str().unwrap().parse().unwrap();
    assert!((equity - 8_088.663_506).abs() < 1e-6, "{equity}");
}
