//! Mail, over a connection that must be safe before anything is said.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use lettre::message::{Mailbox, header::ContentType};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{AsyncSmtpTransport, Error as SmtpError};
use lettre::{AsyncTransport, Message as Mail, Tokio1Executor};
use secrecy::{ExposeSecret, SecretString};

use super::config::SmtpConfig;
use super::post::{Timing, install_tls};
use super::text::{Cut, one_line};
use super::{Message, NotifyError, Receiver, Sending};

/// Characters of a subject.
const SUBJECT_CHARS_MAX: usize = 150;
/// Characters of a text.
const TEXT_CHARS_MAX: usize = 3000;
/// Characters of an error that are kept.
const CAUSE_CHARS_MAX: usize = 160;
/// On this port TLS comes first; on others the server is asked for it.
const TLS_FIRST: u16 = 465;

pub struct Smtp {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
    host: String,
    timing: Timing,
    /// What no error may repeat.
    secrets: Arc<[SecretString; 2]>,
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smtp").field("host", &self.host).field("timing", &self.timing).finish_non_exhaustive()
    }
}

impl Smtp {
    /// # Errors
    /// When an address is none, or no TLS can be had.
    pub fn new(config: &SmtpConfig, user: &SecretString, password: &SecretString, timing: Timing) -> Result<Self, NotifyError> {
        Self::trusting(config, user, password, timing, None)
    }

    /// The same with one authority more than the system trusts, as PEM.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn trusting(
        config: &SmtpConfig,
        user: &SecretString,
        password: &SecretString,
        timing: Timing,
        authority: Option<&[u8]>,
    ) -> Result<Self, NotifyError> {
        install_tls();
        let no_tls = |error: SmtpError| NotifyError::NoTls { why: one_line(&error.to_string()) };
        let mut tls = TlsParameters::builder(config.host.clone());
        if let Some(pem) = authority {
            tls = tls.add_root_certificate(Certificate::from_pem(pem).map_err(no_tls)?);
        }
        let tls = tls.build_rustls().map_err(no_tls)?;
        // NOTIFY-6: a server that offers no TLS, or whose offer was taken out on the way, gets neither password nor message.
        let tls = if config.port == TLS_FIRST { Tls::Wrapper(tls) } else { Tls::Required(tls) };
        let credentials = Credentials::new(user.expose_secret().to_owned(), password.expose_secret().to_owned());
        let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(config.host.clone())
            .port(config.port)
            .tls(tls)
            .credentials(credentials)
            .timeout(Some(timing.connect_max))
            .build();
        let address = |text: &String| text.parse::<Mailbox>().map_err(|_| NotifyError::BadAddress);
        Ok(Self {
            transport,
            from: address(&config.from)?,
            to: config.to.iter().map(address).collect::<Result<_, _>>()?,
            host: config.host.clone(),
            timing,
            secrets: Arc::new([user.clone(), password.clone()]),
        })
    }

    async fn deliver(&self, message: &Message) -> Result<(), NotifyError> {
        let mail = self.mail(message)?;
        // The transport bounds connecting; a server that falls silent after DATA is bounded here. It may have taken the mail: the next
        // try has the same name.
        match tokio::time::timeout(self.timing.exchange_max, self.transport.send(mail)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(self.judge(&error)),
            Err(_) => Err(NotifyError::Passing { what: "it did not answer in time".to_owned(), after: None }),
        }
    }

    fn mail(&self, message: &Message) -> Result<Mail, NotifyError> {
        let bad = |error: lettre::error::Error| NotifyError::BadMail { why: error.to_string() };
        let domain = self.from.email.domain();
        let mut mail = Mail::builder()
            .from(self.from.clone())
            .subject(subject(message))
            .message_id(Some(format!("<{}@{domain}>", message.id)))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            mail = mail.to(to.clone());
        }
        mail.body(text(message)).map_err(bad)
    }

    /// What an error means, without what is secret in it.
    fn judge(&self, error: &SmtpError) -> NotifyError {
        let code = error.status().map(u16::from);
        if let Some(status) = code.filter(|_| error.is_permanent()) {
            return NotifyError::Refused { status, word: "the mail server refuses it" };
        }
        if let Some(status) = code {
            return NotifyError::Passing { what: format!("the mail server answered {status}"), after: None };
        }
        let why = self.cause(error);
        if error.is_tls() || why.contains("STARTTLS") {
            return NotifyError::NoTls { why };
        }
        NotifyError::Passing { what: why, after: None }
    }

    fn cause(&self, error: &SmtpError) -> String {
        let mut innermost: &dyn Error = error;
        while let Some(source) = innermost.source() {
            innermost = source;
        }
        let text: String = one_line(&innermost.to_string()).chars().take(CAUSE_CHARS_MAX).collect();
        let is_told = |secret: &SecretString| text.contains(secret.expose_secret());
        if self.secrets.iter().any(is_told) { "the mail server's answer holds a secret".to_owned() } else { text }
    }
}

impl Receiver for Smtp {
    fn send<'a>(&'a self, message: &'a Message) -> Sending<'a> {
        Box::pin(self.deliver(message))
    }
}

/// One line, whatever the title holds: NOTIFY-4.
fn subject(message: &Message) -> String {
    let line = format!("[tidegate] {} {}", message.severity.name().to_uppercase(), one_line(&message.title));
    line.chars().take(SUBJECT_CHARS_MAX).collect()
}

fn text(message: &Message) -> String {
    let mut out = Cut::new(TEXT_CHARS_MAX);
    let mut buffer = [0; 4];
    let shown = message.text.chars().filter(|c| !c.is_control() || *c == '\n');
    shown.for_each(|c| out.put(c.encode_utf8(&mut buffer)));
    out.put("\n");
    for (name, value) in &message.fields {
        out.put(&format!("\n{}: {}", one_line(name), one_line(value)));
    }
    out.put(&format!("\n\n{}\n", message.at));
    out.text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Severity;

    fn smtp() -> Smtp {
        let config = SmtpConfig {
            host: "smtp.example.org".to_owned(),
            port: 587,
            from: "tidegate@example.org".to_owned(),
            to: vec!["oncall@example.org".to_owned()],
            user: "env:SMTP_USER".parse().unwrap(),
            password: "env:SMTP_PASSWORD".parse().unwrap(),
        };
        let secret = |text: &str| SecretString::from(text.to_owned());
        Smtp::new(&config, &secret("user"), &secret("hunter2"), Timing::default()).unwrap()
    }

    fn message(title: &str, text: &str) -> Message {
        let (at, fields) = ("2026-03-29T01:00:00Z".parse().unwrap(), vec![("symbol".to_owned(), "BTC/USDT".to_owned())]);
        Message { id: "m-1".to_owned(), severity: Severity::Critical, title: title.to_owned(), text: text.to_owned(), fields, at }
    }

    /// G6. NOTIFY-4.
    #[test]
    fn no_text_becomes_a_header_and_a_subject_is_one_line() {
        let forged = message("kill\r\nBcc: everybody@example.org", "a\r\n.\r\nMAIL FROM:<x@y>\n\u{1b}[31m");
        let mail = String::from_utf8(smtp().mail(&forged).unwrap().formatted()).unwrap();
        let (head, _) = mail.split_once("\r\n\r\n").unwrap();
        assert!(head.lines().all(|line| !line.to_lowercase().starts_with("bcc")), "{head}");
        assert!(head.contains("Subject: [tidegate] CRITICAL kill  Bcc: everybody@example.org"), "{head}");
        assert!(head.contains("Message-ID: <m-1@example.org>"), "the same name in every try: {head}");
        assert!(!mail.contains('\u{1b}'));
    }

    /// G6.
    #[test]
    fn a_long_text_is_cut() {
        let mail = smtp().mail(&message(&"t".repeat(1 << 20), &"x".repeat(1 << 20))).unwrap().formatted();
        assert!(mail.len() < 6000, "{}", mail.len());
    }

    /// NOTIFY-3.
    #[test]
    fn the_password_is_not_shown() {
        assert!(!format!("{:?}", smtp()).contains("hunter2"));
    }
}
