//! Mails: one connection to the configured server for each of them.
//!
//! The server's word is trusted: what it accepted is sent. What the mail says of others (names, reasons) is not, and
//! is in the subject, which the library encodes, and in the text, and nowhere else.

use std::time::Duration;

use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use crate::config::MailConfig;
use crate::stages::send;
use hookmill_model::MailAddress;

/// For each of the server's answers: longer than a server needs that is well.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a mail is not sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The configured sender.
    #[error("mail.from is no mail address such as `Hookmill <hookmill@example.com>`")]
    From(#[source] lettre::address::AddressError),
    /// The configured server.
    #[error("mail.smtp_url cannot be used")]
    Url(#[source] smtp::Error),
    /// A recipient that the mail library does not take.
    #[error("a recipient's address cannot be used")]
    To(#[source] lettre::address::AddressError),
    /// The mail cannot be put together.
    #[error("the mail could not be written")]
    Message(#[from] lettre::error::Error),
    /// The server cannot be reached, or refused.
    #[error("the mail server did not take the mail")]
    Server(#[from] smtp::Error),
}

/// One mail.
#[derive(Clone, Debug)]
pub struct Mail<'a> {
    /// The same if it is sent twice, so that mail programs show it once.
    pub id: &'a str,
    /// Its recipients.
    pub to: &'a [MailAddress],
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
}

/// The way to the mail server.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    /// From its configuration. Nothing is connected yet.
    ///
    /// # Errors
    /// If the configuration names no server or no sender.
    pub fn new(config: &MailConfig) -> Result<Self, MailError> {
        // The library brings none, and takes that of the process when it reads a URL with TLS.
        send::install_crypto();
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&config.smtp_url).map_err(MailError::Url)?;
        let from = config.from.parse().map_err(MailError::From)?;
        Ok(Self { transport: transport.timeout(Some(ANSWER_TIMEOUT)).build(), from })
    }

    /// Sends one mail to all its recipients.
    ///
    /// # Errors
    /// If nobody got it.
    pub async fn send(&self, Mail { id, to, subject, text }: Mail<'_>) -> Result<(), MailError> {
        let mail = self.builder(id, to)?.subject(subject).body(text)?;
        match self.transport.send(mail.clone()).await {
            Err(err) if refuses_recipient(&err) && to.len() > 1 => self.send_to_each(&mail, to).await,
            sent => Ok(sent.map(drop)?),
        }
    }

    fn builder(&self, id: &str, to: &[MailAddress]) -> Result<MessageBuilder, MailError> {
        let automatic = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        let builder = Message::builder()
            .from(self.from.clone())
            // The same if it is sent twice, so that mail programs show it once.
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            // No holiday notices, please (RFC 3834).
            .raw_header(automatic)
            .header(ContentType::TEXT_PLAIN);
        to.iter().try_fold(builder, |builder, to| Ok(builder.to(Mailbox::new(None, parsed(to)?))))
    }

    /// One address that is gone must not keep the mail from the others.
    async fn send_to_each(&self, mail: &Message, to: &[MailAddress]) -> Result<(), MailError> {
        let bytes = mail.formatted();
        let mut result = Err(None);
        for address in to {
            let envelope = Envelope::new(Some(self.from.email.clone()), vec![parsed(address)?])?;
            match self.transport.send_raw(&envelope, &bytes).await {
                Ok(_) => result = Ok(()),
                Err(err) if refuses_recipient(&err) => {
                    tracing::warn!(%address, error = &err as &dyn std::error::Error, "the mail server refuses an address");
                    result = result.map_err(|_| Some(err));
                }
                // Whoever got it should not get it again because of this one.
                Err(err) if result.is_ok() => {
                    tracing::error!(%address, error = &err as &dyn std::error::Error, "a mail to an address was given up");
                }
                Err(err) => return Err(err.into()),
            }
        }
        result.map_err(|err| err.expect("there are addresses, and each failed").into())
    }
}

fn parsed(address: &MailAddress) -> Result<Address, MailError> {
    address.as_str().parse().map_err(MailError::To)
}

/// Whether it is a recipient that the server does not like, and not us: 550, 551 and 553 (RFC 5321, 4.2.3).
fn refuses_recipient(err: &smtp::Error) -> bool {
    err.status().is_some_and(|status| matches!(status.into(), 550_u16 | 551 | 553))
}
