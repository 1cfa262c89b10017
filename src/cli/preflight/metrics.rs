//! Our own figures can be read where the profile says.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;

use super::{Scene, Seen};
use crate::cli::live::mode_of;
use crate::cli::start::meters::Meters;
use crate::clock::{Clock, SystemClock};
use crate::domain::Span;
use crate::web::endpoint::Endpoint;

/// What is read of an answer at most.
const BODY_MAX: usize = 16 << 20;

/// Where nobody serves them yet, the check does, for its moment: the port is free, and what `start` will serve is answered.
pub(super) fn answers(scene: &Scene<'_>, timeout: Span) -> Seen {
    let profile = &scene.place.profile;
    let address = profile.listen();
    let first = judged(scene, address, timeout);
    if !matches!(first, Err(Trouble::Nobody)) {
        return first.map_or_else(|trouble| trouble.told(address, timeout), Seen::ok);
    }
    let meters = Arc::new(Meters::new(scene.context.clock.clone(), profile.name(), mode_of(profile)));
    let endpoint = match Endpoint::start(address, meters) {
        Ok(endpoint) => endpoint,
        Err(error) => {
            return Seen::fail(format!("nobody answers at {address}, and nobody can: {:#}", anyhow!(error)), fix(address));
        }
    };
    match judged(scene, endpoint.address(), timeout) {
        Ok(said) => Seen::ok(format!("{said}; nobody served them, so this check did for its moment")),
        Err(trouble) => trouble.told(address, timeout),
    }
}

/// Why figures are not read.
enum Trouble {
    Nobody,
    Silent(String),
    Status(u16),
    /// Another program's, or another profile's.
    Foreign,
}

impl Trouble {
    fn told(self, address: SocketAddr, timeout: Span) -> Seen {
        let said = match self {
            Self::Nobody => format!("nobody listens at {address}"),
            Self::Silent(why) => format!("{address} does not answer within {timeout}: {why}"),
            Self::Status(status) => format!("{address} answers {status}, and 200 is wanted"),
            Self::Foreign => format!("what answers at {address} are not the metrics of this profile"),
        };
        Seen::fail(said, fix(address))
    }
}

fn fix(address: SocketAddr) -> String {
    format!("see who has {address} and end it, or choose another with [metrics] listen")
}

fn judged(scene: &Scene<'_>, address: SocketAddr, timeout: Span) -> Result<String, Trouble> {
    let began = scene.context.clock.now();
    let (status, body) = get(address, timeout.to_std())?;
    if status != 200 {
        return Err(Trouble::Status(status));
    }
    if !is_of(&body, scene.place.profile.name()) {
        return Err(Trouble::Foreign);
    }
    let series = body.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).count();
    let took = (scene.context.clock.now() - began).as_secs_f64() * 1000.0;
    Ok(format!("200 in {took:.0} ms of {timeout}, {series} series"))
}

/// Are these figures of a tidegate that runs this profile?
fn is_of(body: &str, profile: &str) -> bool {
    let label = format!("profile=\"{profile}\"");
    body.lines().any(|line| line.starts_with("build_info{") && line.contains(&label))
}

/// One plain request; the server closes behind its answer.
fn get(to: SocketAddr, timeout: Duration) -> Result<(u16, String), Trouble> {
    let said = |error: std::io::Error| Trouble::Silent(error.to_string());
    let strange = || Trouble::Silent("it does not speak HTTP".to_owned());
    let mut stream = TcpStream::connect_timeout(&to, timeout).map_err(|error| match error.kind() {
        ErrorKind::ConnectionRefused => Trouble::Nobody,
        _ => said(error),
    })?;
    stream.set_read_timeout(Some(timeout)).and_then(|()| stream.set_write_timeout(Some(timeout))).map_err(said)?;
    stream.write_all(format!("GET /metrics HTTP/1.0\r\nHost: {to}\r\n\r\n").as_bytes()).map_err(said)?;
    let deadline = SystemClock.now().saturating_add(Span::from_micros(i64::try_from(timeout.as_micros()).unwrap_or(i64::MAX)));
    let (mut answer, mut chunk) = (Vec::new(), [0; 8192]);
    loop {
        let read = stream.read(&mut chunk).map_err(said)?;
        answer.extend_from_slice(&chunk[..read]);
        if read == 0 || answer.len() >= BODY_MAX {
            break;
        }
        if SystemClock.now() > deadline {
            return Err(Trouble::Silent("its answer does not end".to_owned()));
        }
    }
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(strange)?;
    let status = head.split_whitespace().nth(1).and_then(|word| word.parse().ok()).ok_or_else(strange)?;
    Ok((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// Answers one request with `answer`.
    fn served(answer: &'static str) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
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
        assert!(get(whole, second).is_ok_and(|answer| answer == (200, "# HELP x y\nx 1\n".to_owned())));
        assert!(get(served("HTTP/1.1 503 no\r\n\r\n"), second).is_ok_and(|(status, _)| status == 503));
        assert!(matches!(get(served("SSH-2.0\r\n"), second), Err(Trouble::Silent(_))));
        assert!(matches!(get("127.0.0.1:1".parse().unwrap(), second), Err(Trouble::Nobody)));
    }

    #[test]
    fn figures_of_another_program_or_profile_are_not_ours() {
        let ours = "# HELP build_info 1\nbuild_info{mode=\"paper\",profile=\"canary\",version=\"0.1\"} 1\n";
        assert!(is_of(ours, "canary"));
        assert!(!is_of(ours, "canar") && !is_of(ours, "production"));
        assert!(!is_of("# HELP node_load1 x\nnode_load1{profile=\"canary\"} 1\n", "canary"));
    }
}
