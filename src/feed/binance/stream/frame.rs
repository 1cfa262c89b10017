//! One message of a combined stream, read strictly.

use serde_json::Value;

use super::super::page::{Complaint, Row};
use crate::domain::Interval;

/// The order in which a page has what a frame has by name.
const COLUMNS: [&str; 11] = ["t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q"];
/// Characters of the venue's words that are repeated.
const SAID_CHARS_MAX: usize = 160;

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    /// A bar of a symbol, as it is now; done when it is closed.
    Bar { symbol: String, row: Row, is_closed: bool },
    /// The venue will close the connection soon.
    Shutdown,
    /// The answer to a control message; what was wrong with it, if anything was.
    Answer { refusal: Option<String> },
    /// Well formed, and nothing that we asked for or know.
    Other,
    /// A bar that cannot be one.
    Wrong(String),
}

impl Frame {
    /// Reads a message of a stream of `interval`.
    ///
    /// # Errors
    /// When it is no JSON, or nested so deep that nobody honest would send it.
    pub fn read(text: &str, interval: Interval) -> Result<Self, String> {
        let message: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if let Some(refusal) = refusal(&message) {
            return Ok(Self::Answer { refusal: Some(refusal) });
        }
        let data = message.get("data").unwrap_or(&message);
        match data.get("e").and_then(Value::as_str) {
            Some("kline") => Ok(bar(data, interval)),
            Some("serverShutdown") => Ok(Self::Shutdown),
            Some(_) => Ok(Self::Other),
            None if message.get("id").is_some() && message.get("result").is_some() => Ok(Self::Answer { refusal: None }),
            None => Ok(Self::Other),
        }
    }
}

fn bar(data: &Value, interval: Interval) -> Frame {
    let Some(kline) = data.get("k") else { return Frame::Wrong("a kline event without its kline".to_owned()) };
    let Some(symbol) = kline.get("s").and_then(Value::as_str) else {
        return Frame::Wrong("a kline without its symbol".to_owned());
    };
    if kline.get("i").and_then(Value::as_str) != Some(interval.to_string().as_str()) {
        return Frame::Wrong(format!("a kline that is not of {interval}"));
    }
    let Some(is_closed) = kline.get("x").and_then(Value::as_bool) else {
        return Frame::Wrong("a kline that does not say whether it is closed".to_owned());
    };
    let mut fields: Vec<Value> = COLUMNS.iter().map(|name| kline.get(name).cloned().unwrap_or_default()).collect();
    fields.push(Value::Null);
    match Row::read(&Value::Array(fields), 1, interval) {
        Ok(row) if interval.is_on_grid(row.open_time) => Frame::Bar { symbol: symbol.to_owned(), row, is_closed },
        Ok(row) => Frame::Wrong(format!("the bar of {}, which is not on the grid", row.open_time)),
        Err(Complaint { why, .. }) => Frame::Wrong(why),
    }
}

/// `{"error": {"code": 2, "msg": "…"}}`, or code and message bare.
fn refusal(message: &Value) -> Option<String> {
    let error = message.get("error").unwrap_or(message);
    let code = error.get("code")?.as_i64()?;
    let said = error.get("msg").and_then(Value::as_str).unwrap_or_default();
    let said: String = said.chars().filter(|c| !c.is_control()).take(SAID_CHARS_MAX).collect();
    Some(format!("{code} {said}").trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Time;

    const KLINE: &str = r#"{"stream":"btcusdt@kline_1m","data":{"e":"kline","E":1704067260001,"s":"BTCUSDT","k":{"t":1704067200000,
        "T":1704067259999,"s":"BTCUSDT","i":"1m","f":1,"L":2,"o":"10","c":"11","h":"12","l":"9","v":"5","n":3,"x":true,"q":"50",
        "V":"2","Q":"20","B":"0"}}}"#;

    fn read(text: &str) -> Result<Frame, String> {
        Frame::read(text, "1m".parse().unwrap())
    }

    #[test]
    fn a_bar_is_what_a_page_would_have() {
        let Ok(Frame::Bar { symbol, row, is_closed }) = read(KLINE) else { panic!("{:?}", read(KLINE)) };
        assert_eq!((symbol.as_str(), is_closed, row.prices), ("BTCUSDT", true, [10.0, 12.0, 9.0, 11.0, 5.0]));
        assert_eq!((row.open_time, row.trades, row.taker), (Time::from_millis(1_704_067_200_000), 3, [2.0, 20.0]));
        let bare = KLINE.replace("{\"stream\":\"btcusdt@kline_1m\",\"data\":", "").replace("}}}", "}}");
        assert_eq!(read(&bare), read(KLINE), "a raw stream says the same");
        assert!(matches!(read(&KLINE.replace("\"x\":true", "\"x\":false")), Ok(Frame::Bar { is_closed: false, .. })));
    }

    #[test]
    fn what_is_no_bar_never_becomes_one() {
        for (from, to) in [
            ("\"11\"", "\"NaN\""),
            ("\"11\"", "\"1e1\""),
            ("\"11\"", "11"),
            ("\"-\"", "\"-\""),
            ("\"i\":\"1m\"", "\"i\":\"8h\""),
            ("1704067200000", "1704067200001"),
            ("1704067259999", "1704067559999"),
            ("\"x\":true", "\"x\":\"true\""),
            ("\"x\":true", "\"y\":true"),
            ("\"V\":\"2\"", "\"V\":\"6\""),
            ("\"s\":\"BTCUSDT\",\"i\"", "\"i\""),
        ] {
            let text = KLINE.replace(from, to);
            if text == KLINE {
                continue;
            }
            assert!(matches!(read(&text), Ok(Frame::Wrong(_))), "{to}: {:?}", read(&text));
        }
    }

    /// D8, D11.
    #[test]
    fn other_messages() {
        assert_eq!(read("{\"result\":null,\"id\":1}"), Ok(Frame::Answer { refusal: None }));
        let refusal = |text: &str| match read(text) {
            Ok(Frame::Answer { refusal: Some(said) }) => said,
            other => panic!("{other:?}"),
        };
        assert_eq!(refusal("{\"error\":{\"code\":2,\"msg\":\"Invalid request\"},\"id\":1}"), "2 Invalid request");
        assert_eq!(refusal("{\"code\":-2035,\"msg\":\"already active\",\"id\":1}"), "-2035 already active");
        let shutdown = "{\"stream\":\"!serverShutdown\",\"data\":{\"e\":\"serverShutdown\",\"E\":1}}";
        assert_eq!(read(shutdown), Ok(Frame::Shutdown));
        assert_eq!(read("{\"e\":\"trade\"}"), Ok(Frame::Other));
        assert!(read(&"[".repeat(5000)).is_err(), "nested too deep");
        assert!(read("{\"e\":").is_err());
    }
}
