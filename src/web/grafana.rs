//! A dashboard for Grafana, made from the catalogue of metrics: a panel each, in groups.

use serde_json::{Value, json};

use crate::telemetry::metrics::{METRICS, Metric, Moves};

/// What is shown together: a title and the beginnings of names.
const GROUPS: [(&str, &[&str]); 6] = [
    ("Money", &["equity", "drawdown_", "sharpe_", "exposure_", "ladder_", "limit_"]),
    ("Orders", &["orders_", "fills_", "open_orders", "order_", "slippage_", "reconciled"]),
    ("Stops", &["halted", "kill_"]),
    ("Bars", &["data_"]),
    ("Venue", &["venue_", "risk_"]),
    ("Alerts", &["alerts_", "alert_"]),
];
/// Whatever begins otherwise.
const REST: &str = "Program";
/// Two panels a row of Grafana's 24 columns.
const WIDTH: u32 = 12;
const HEIGHT: u32 = 7;

/// The dashboard as Grafana imports it. The data source is chosen there, and so is the profile by the job of the scrape.
#[must_use]
pub fn dashboard() -> Value {
    let mut panels = Vec::new();
    let mut y = 0;
    let titles = GROUPS.iter().map(|(title, _)| *title).chain([REST]);
    for title in titles {
        let metrics: Vec<&Metric> = METRICS.iter().filter(|metric| group_of(metric.name) == title).collect();
        if metrics.is_empty() {
            continue;
        }
        panels.push(json!({
            "type": "row", "title": title, "id": panels.len() + 1, "collapsed": false, "panels": [],
            "gridPos": { "x": 0, "y": y, "w": 24, "h": 1 },
        }));
        y += 1;
        for (at, metric) in (0_u32..).zip(metrics.iter()) {
            panels.push(panel(metric, panels.len() + 1, (at % 2) * WIDTH, y + at / 2 * HEIGHT));
        }
        y += u32::try_from(metrics.len()).unwrap_or(0).div_ceil(2) * HEIGHT;
    }
    json!({
        "title": "tidegate", "uid": "tidegate", "schemaVersion": 39, "version": 1, "editable": true, "tags": ["tidegate"],
        "time": { "from": "now-24h", "to": "now" }, "refresh": "30s", "timezone": "utc",
        "templating": { "list": [
            { "name": "datasource", "type": "datasource", "query": "prometheus", "label": "data source" },
            { "name": "job", "type": "query", "datasource": { "type": "prometheus", "uid": "${datasource}" },
              "query": "label_values(heartbeat_timestamp_seconds, job)", "refresh": 1, "multi": true, "includeAll": true },
        ] },
        "panels": panels,
    })
}

fn group_of(name: &str) -> &'static str {
    let group = GROUPS.iter().find(|(_, starts)| starts.iter().any(|start| name.starts_with(start)));
    group.map_or(REST, |(title, _)| *title)
}

fn panel(metric: &Metric, id: usize, x: u32, y: u32) -> Value {
    let legend: Vec<String> = metric.labels.iter().map(|label| format!("{{{{{label}}}}}")).collect();
    json!({
        "type": "timeseries", "id": id, "title": metric.name, "description": metric.help,
        "gridPos": { "x": x, "y": y, "w": WIDTH, "h": HEIGHT },
        "datasource": { "type": "prometheus", "uid": "${datasource}" },
        "fieldConfig": { "defaults": { "unit": unit(metric) }, "overrides": [] },
        "targets": [{ "refId": "A", "expr": query(metric), "legendFormat": legend.join(" ") }],
    })
}

/// What is drawn: counters by what they grew, times by their age.
fn query(metric: &Metric) -> String {
    let selected = format!("{}{{job=~\"$job\"}}", metric.name);
    match metric.moves {
        Moves::Counter => format!("increase({selected}[$__rate_interval])"),
        Moves::Gauge if is_time(metric) => format!("time() - {selected}"),
        Moves::Gauge => selected,
    }
}

fn is_time(metric: &Metric) -> bool {
    metric.name.ends_with("_timestamp_seconds")
}

fn unit(metric: &Metric) -> &'static str {
    match metric.name {
        name if name.ends_with("_ratio") && name != "sharpe_ratio" => "percentunit",
        name if name.ends_with("_seconds") => "s",
        _ => "short",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_metric_has_one_panel_and_no_two_lie_on_each_other() {
        let dashboard = dashboard();
        let panels = dashboard["panels"].as_array().expect("panels");
        let drawn: Vec<&Value> = panels.iter().filter(|panel| panel["type"] == "timeseries").collect();
        let mut titles: Vec<&str> = drawn.iter().filter_map(|panel| panel["title"].as_str()).collect();
        titles.sort_unstable();
        let mut names: Vec<&str> = METRICS.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        assert_eq!(titles, names);
        let mut places: Vec<String> = panels.iter().map(|panel| panel["gridPos"].to_string()).collect();
        places.sort();
        places.dedup();
        assert_eq!(places.len(), panels.len());
        let queries: Vec<&str> = drawn.iter().filter_map(|panel| panel["targets"][0]["expr"].as_str()).collect();
        assert!(queries.contains(&"increase(fills_total{job=~\"$job\"}[$__rate_interval])"), "{queries:?}");
        assert!(queries.contains(&"time() - heartbeat_timestamp_seconds{job=~\"$job\"}"), "{queries:?}");
    }
}
