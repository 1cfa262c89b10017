//! Files of the archive: zips of klines with their checksums, and what can be wrong with them.

use std::io::Write;

use sha2::{Digest, Sha256};
use tidegate::domain::{Interval, Time};
use tidegate::store::disk::hex;

use super::wire::{End, Reply};
use super::{Act, Book};

/// Spot files have microseconds from here on.
const MICROS_FROM: &str = "2025-01-01";

impl Book {
    pub(super) fn file(&mut self, path: &str) -> Reply {
        let Some(content) = self.files.get(path).cloned() else {
            return Reply::status(404, "<?xml version=\"1.0\"?><Error><Code>NoSuchKey</Code></Error>");
        };
        // Checksums are honest; what the script says happens to the files.
        let act = if path.ends_with(".zip") { self.script.pop_front() } else { None };
        match act {
            Some(Act::Status(status, retry_after, body)) => {
                let headers = retry_after.map(|value| ("Retry-After", value.to_owned())).into_iter().collect();
                Reply { headers, ..Reply::status(status, body) }
            }
            Some(Act::Cut) => Reply { end: End::Cut, ..Reply::ok(content) },
            Some(Act::Closed) => Reply { end: End::Closed, ..Reply::ok(content) },
            Some(Act::Body(body)) => Reply::ok(body),
            _ => Reply::ok(content),
        }
    }

    /// Publishes the file of a month (`2024-11`) or a day (`2024-11-30`), of hours.
    pub fn publish(&mut self, symbol: &str, date: &str) {
        let csv = self.csv(symbol, date);
        let name = format!("{symbol}-1h-{date}");
        self.publish_as(symbol, date, &[(&format!("{name}.csv"), csv.as_bytes())]);
    }

    /// The same with members of the test's choice.
    pub fn publish_as(&mut self, symbol: &str, date: &str, members: &[(&str, &[u8])]) {
        let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, content) in members {
            archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            archive.write_all(content).unwrap();
        }
        let content = archive.finish().unwrap().into_inner();
        let (path, name) = path_of(symbol, date);
        let sum = hex(&Sha256::digest(&content));
        self.files.insert(format!("{path}.CHECKSUM"), format!("{sum}  {name}\n").into_bytes());
        self.files.insert(path, content);
    }

    fn csv(&self, symbol: &str, date: &str) -> String {
        let hour: Interval = "1h".parse().unwrap();
        let full = if date.len() == 7 { format!("{date}-01") } else { date.to_owned() };
        let start: Time = full.parse().unwrap();
        let mut text = String::new();
        let mut open = start;
        while open.to_string().starts_with(date) {
            if !self.holes.contains(&open.micros()) {
                text.push_str(&line(&self.kline(symbol, hour.span(), open), open));
            }
            open = open + hour.span();
        }
        text
    }
}

/// The path of a file, and its name.
pub fn path_of(symbol: &str, date: &str) -> (String, String) {
    let kind = if date.len() == 7 { "monthly" } else { "daily" };
    let name = format!("{symbol}-1h-{date}.zip");
    (format!("/data/spot/{kind}/klines/{symbol}/1h/{name}"), name)
}

fn line(kline: &str, open: Time) -> String {
    let row: Vec<serde_json::Value> = serde_json::from_str(kline).unwrap();
    let is_micros = open >= MICROS_FROM.parse::<Time>().unwrap();
    let fields = row.iter().enumerate().map(|(at, value)| match (at, value.as_i64()) {
        (0, Some(millis)) if is_micros => (millis * 1000).to_string(),
        (6, Some(millis)) if is_micros => (millis * 1000 + 999).to_string(),
        (_, Some(number)) => number.to_string(),
        (_, None) => value.as_str().unwrap().to_owned(),
    });
    format!("{}\n", fields.collect::<Vec<_>>().join(","))
}
