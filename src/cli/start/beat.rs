//! What a service manager is told: that the program is ready, that it turns, that it ends. Without one, nothing is sent.

use std::os::unix::net::UnixDatagram;

/// The variable in which systemd names its socket.
const SOCKET: &str = "NOTIFY_SOCKET";

/// The way to the service manager.
#[derive(Debug, Default)]
pub struct Beat(Option<UnixDatagram>);

impl Beat {
    /// By the environment of this process. A manager that cannot be reached is as none: it will say so itself, by its watchdog.
    #[must_use]
    pub fn of_this_process() -> Self {
        std::env::var_os(SOCKET).map_or_else(Self::default, |path| Self(connect(&path)))
    }

    pub fn ready(&self, status: &str) {
        self.send(&format!("READY=1\nSTATUS={}", status.replace('\n', " ")));
    }

    /// The loop has turned: the watchdog waits anew.
    pub fn turned(&self, status: &str) {
        self.send(&format!("WATCHDOG=1\nSTATUS={}", status.replace('\n', " ")));
    }

    pub fn stopping(&self) {
        self.send("STOPPING=1");
    }

    fn send(&self, text: &str) {
        if let Some(socket) = &self.0 {
            // A full queue is the manager's affair; the next turn tells again.
            let _ = socket.send(text.as_bytes());
        }
    }
}

fn connect(path: &std::ffi::OsStr) -> Option<UnixDatagram> {
    let socket = UnixDatagram::unbound().ok()?;
    socket.set_nonblocking(true).ok()?;
    connect_to(&socket, path).ok()?;
    Some(socket)
}

#[cfg(target_os = "linux")]
fn connect_to(socket: &UnixDatagram, path: &std::ffi::OsStr) -> std::io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::net::SocketAddr;
    match path.as_bytes().strip_prefix(b"@") {
        Some(name) => socket.connect_addr(&SocketAddr::from_abstract_name(name)?),
        None => socket.connect(path),
    }
}

#[cfg(not(target_os = "linux"))]
fn connect_to(socket: &UnixDatagram, path: &std::ffi::OsStr) -> std::io::Result<()> {
    socket.connect(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manager_hears_what_it_waits_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).expect("bound");
        let beat = Beat(connect(path.as_os_str()));
        beat.ready("waiting\nfor bars");
        beat.turned("still");
        beat.stopping();
        let heard = || {
            let mut bytes = [0_u8; 256];
            let length = manager.recv(&mut bytes).expect("told");
            String::from_utf8_lossy(&bytes[..length]).into_owned()
        };
        assert_eq!(heard(), "READY=1\nSTATUS=waiting for bars");
        assert_eq!(heard(), "WATCHDOG=1\nSTATUS=still");
        assert_eq!(heard(), "STOPPING=1");
    }

    #[test]
    fn nobody_is_told_where_nobody_listens() {
        Beat(connect("/nowhere/at/all".as_ref())).ready("fine");
        Beat::default().turned("fine");
    }
}
