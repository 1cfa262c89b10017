//! Metrics in the text format of Prometheus: what a textfile collector reads and what an endpoint answers.

use std::collections::BTreeMap;

use prometheus::{Encoder, GaugeVec, IntCounterVec, Opts, Registry, TextEncoder};

use super::metrics::{self, Metric, Moves};

/// Values by the names of the catalogue. A name or a label that the catalogue does not have is a bug of ours, and stops the program.
#[derive(Debug, Default)]
pub struct Exposition {
    registry: Registry,
    gauges: BTreeMap<&'static str, GaugeVec>,
    counters: BTreeMap<&'static str, IntCounterVec>,
}

impl Exposition {
    /// Sets a gauge. `labels` are values in the catalogue's order.
    pub fn set(&mut self, name: &str, labels: &[&str], value: f64) {
        self.gauge(name, labels).set(value);
    }

    /// Sets a gauge unless it is higher already: several sources of one figure show the worst.
    pub fn raise(&mut self, name: &str, labels: &[&str], value: f64) {
        let gauge = self.gauge(name, labels);
        gauge.set(gauge.get().max(value));
    }

    /// Adds to a counter.
    pub fn add(&mut self, name: &str, labels: &[&str], count: u64) {
        let metric = of_catalogue(name, labels, Moves::Counter);
        let registry = &self.registry;
        let counter = self.counters.entry(metric.name).or_insert_with(|| {
            let counter =
                IntCounterVec::new(Opts::new(metric.name, metric.help), metric.labels).expect("the catalogue's names are valid");
            registry.register(Box::new(counter.clone())).expect("a metric is registered once");
            counter
        });
        counter.with_label_values(labels).inc_by(count);
    }

    /// What somebody on another thread reads from: it sees what is set here, and nobody waits for it.
    #[must_use]
    pub fn reader(&self) -> Reader {
        Reader(self.registry.clone())
    }

    /// The text, by name and by labels: the same values give the same bytes.
    #[must_use]
    pub fn encode(&self) -> String {
        self.reader().encode()
    }

    fn gauge(&mut self, name: &str, labels: &[&str]) -> prometheus::Gauge {
        let metric = of_catalogue(name, labels, Moves::Gauge);
        let registry = &self.registry;
        let gauge = self.gauges.entry(metric.name).or_insert_with(|| {
            let gauge =
                GaugeVec::new(Opts::new(metric.name, metric.help), metric.labels).expect("the catalogue's names are valid");
            registry.register(Box::new(gauge.clone())).expect("a metric is registered once");
            gauge
        });
        gauge.with_label_values(labels)
    }
}

/// Reads what an [`Exposition`] has.
#[derive(Debug, Clone)]
pub struct Reader(Registry);

/// A value as a rule reads it: the metric, the labels in the catalogue's order, the figure.
pub type Value = (String, Vec<String>, f64);

impl Reader {
    /// Every value that there is.
    #[must_use]
    pub fn values(&self) -> Vec<Value> {
        let mut values = Vec::new();
        for family in self.0.gather() {
            let Some(known) = metrics::find(family.name()) else { continue };
            for metric in family.get_metric() {
                let label = |name: &&str| metric.get_label().iter().find(|pair| pair.name() == *name);
                let labels = known.labels.iter().filter_map(label).map(|pair| pair.value().to_owned()).collect();
                let value = match known.moves {
                    Moves::Counter => metric.get_counter().get_value(),
                    Moves::Gauge => metric.get_gauge().get_value(),
                };
                values.push((known.name.to_owned(), labels, value));
            }
        }
        values
    }

    /// The text, by name and by labels: the same values give the same bytes.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut content = Vec::new();
        TextEncoder::new().encode(&self.0.gather(), &mut content).expect("writing to memory does not fail");
        String::from_utf8(content).expect("the text format is UTF-8")
    }
}

fn of_catalogue(name: &str, labels: &[&str], moves: Moves) -> &'static Metric {
    let metric = metrics::find(name).unwrap_or_else(|| panic!("{name} is not in the catalogue of metrics"));
    assert_eq!((metric.moves, metric.labels.len()), (moves, labels.len()), "{name} is used as the catalogue says");
    metric
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stand_by_name_and_label() {
        let mut exposition = Exposition::default();
        exposition.set("data_dup_ratio", &["ETH/USDT", "1h"], 0.25);
        exposition.raise("data_dup_ratio", &["BTC/\"USDT\"\n", "1h"], 0.5);
        exposition.raise("data_dup_ratio", &["ETH/USDT", "1h"], 0.125);
        exposition.add("fills_total", &["trend"], 3);
        let read = exposition.reader().values();
        assert_eq!(read[1], ("data_dup_ratio".to_owned(), vec!["ETH/USDT".to_owned(), "1h".to_owned()], 0.25));
        assert_eq!(read[2], ("fills_total".to_owned(), vec!["trend".to_owned()], 3.0));
        assert_eq!(
            exposition.encode(),
            "# HELP data_dup_ratio Rows that repeated a bar, of the rows taken in, 0 to 1.\n\
             # TYPE data_dup_ratio gauge\n\
             data_dup_ratio{interval=\"1h\",symbol=\"BTC/\\\"USDT\\\"\\n\"} 0.5\n\
             data_dup_ratio{interval=\"1h\",symbol=\"ETH/USDT\"} 0.25\n\
             # HELP fills_total Fills, partial ones included.\n\
             # TYPE fills_total counter\n\
             fills_total{pipeline=\"trend\"} 3\n"
        );
    }

    #[test]
    #[should_panic(expected = "is not in the catalogue")]
    fn a_name_outside_the_catalogue_is_a_bug() {
        Exposition::default().set("data_made_up", &[], 1.0);
    }

    /// Every metric of the catalogue can be exported as it stands there.
    #[test]
    fn the_whole_catalogue_can_be_exported() {
        let mut exposition = Exposition::default();
        for metric in metrics::METRICS {
            let labels = vec!["x"; metric.labels.len()];
            match metric.moves {
                Moves::Gauge => exposition.set(metric.name, &labels, 1.0),
                Moves::Counter => exposition.add(metric.name, &labels, 1),
            }
        }
        let text = exposition.encode();
        assert!(metrics::NAMES.iter().all(|name| text.contains(&format!("# TYPE {name} "))), "{text}");
    }
}
