//! Our own figures can be read where the profile says.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::{Scene, Seen};
use crate::clock::{Clock, SystemClock};
use crate::domain::Span;

/// What is read of an answer at most.
const BODY_MAX: usize = 16 << 20;

pub(super) fn answers(scene: &Scene<'_>, timeout: Span) -> Seen {
    let address = scene.place.profile.metrics_address();
    let fix = format!("start what serves them, or see who else has {address}");
    let began = scene.context.clock.now();
    match get(address, timeout.to_std()) {
        Ok((200, body)) => {
            let series = body.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
            let ours = body.lines().filter(|line| line.starts_with("# HELP")).count();
            let took = (scene.context.clock.now() - began).as_secs_f64() * 1000.0;
            let said = format!("200 in {took:.0} ms of {timeout}, {series} series");
            if ours > 0 { Seen::ok(said) } else { Seen::fail(format!("{said}: these are no metrics"), fix) }
        }
        Ok((status, _)) => Seen::fail(format!("{address} answers {status}, and 200 is wanted"), fix),
        Err(why) => Seen::fail(format!("{address} does not answer within {timeout}: {why}"), fix),
    }
}

/// One plain request; the server closes behind its answer.
fn get(address: &str, timeout: Duration) -> Result<(u16, String), String> {
    let said = |error: std::io::Error| error.to_string();
    let to: SocketAddr = address.parse().map_err(|_| "it is no address".to_owned())?;
    let mut stream = TcpStream::connect_timeout(&to, timeout).map_err(said)?;
    stream.set_read_timeout(Some(timeout)).and_then(|()| stream.set_write_timeout(Some(timeout))).map_err(said)?;
    stream.write_all(format!("GET /metrics HTTP/1.0\r\nHost: {address}\r\n\r\n").as_bytes()).map_err(said)?;
    let deadline = SystemClock.now().saturating_add(Span::from_micros(i64::try_from(timeout.as_micros()).unwrap_or(i64::MAX)));
    let (mut answer, mut chunk) = (Vec::new(), [0; 8192]);
    loop {
        let read = stream.read(&mut chunk).map_err(said)?;
        answer.extend_from_slice(&chunk[..read]);
        if read == 0 || answer.len() >= BODY_MAX {
            break;
        }
        if SystemClock.now() > deadline {
            return Err("its answer does not end".to_owned());
        }
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").ok_or("it does not speak HTTP")?;
    let status = head.split_whitespace().nth(1).and_then(|word| word.parse().ok()).ok_or("it does not speak HTTP")?;
    Ok((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers one request with `answer`.
    fn served(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 512];
            let _ = stream.read(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        address
    }

    #[test]
    fn an_answer_is_a_status_and_a_body() {
        let second = Duration::from_secs(1);
        let whole = served("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n# HELP x y\nx 1\n");
        assert_eq!(get(&whole, second), Ok((200, "# HELP x y\nx 1\n".to_owned())));
        assert_eq!(get(&served("HTTP/1.1 503 no\r\n\r\n"), second).unwrap().0, 503);
        assert!(get(&served("SSH-2.0\r\n"), second).is_err());
        assert!(get("127.0.0.1:1", second).is_err());
        assert!(get("localhost", second).is_err());
    }
}
