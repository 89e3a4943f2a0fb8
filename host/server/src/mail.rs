//! Mail: one connection to the configured server for each message.
//!
//! The server is trusted: a mail that it accepted counts as sent. Names and reasons in a mail are not trusted: they appear
//! only in the subject, which the library encodes, and in the text.

use std::time::Duration;

use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use crate::config::MailConfig;
use crate::stages::send;
use hookmill_model::MailAddress;

/// The time limit for each of the server's replies: longer than a healthy server needs.
const REPLY_TIMEOUT: Duration = Duration::from_secs(30);

/// The reason that a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The configured sender is invalid.
    #[error("invalid `mail.from`: expected a mail address such as `Hookmill <hookmill@example.com>`")]
    From(#[source] lettre::address::AddressError),
    /// The configured server is invalid.
    #[error("invalid `mail.smtp_url`")]
    Url(#[source] smtp::Error),
    /// The mail library does not accept a recipient.
    #[error("invalid recipient address")]
    To(#[source] lettre::address::AddressError),
    /// The message could not be built.
    #[error("could not build the mail")]
    Message(#[from] lettre::error::Error),
    /// The server could not be reached, or rejected the mail.
    #[error("the mail server did not accept the mail")]
    Server(#[from] smtp::Error),
}

/// One mail.
#[derive(Clone, Debug)]
pub struct Mail<'a> {
    /// Its id: the same if it is sent twice, so that mail programs show it once.
    pub id: &'a str,
    /// Its recipients.
    pub to: &'a [MailAddress],
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
}

/// The client of the mail server.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl Mailer {
    /// Creates a client from its configuration, without connecting.
    ///
    /// # Errors
    /// If the configured server or sender is invalid.
    pub fn new(config: &MailConfig) -> Result<Self, MailError> {
        // The library has no TLS provider, and uses the process's when it reads a URL with TLS.
        send::install_crypto();
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(&config.smtp_url).map_err(MailError::Url)?;
        let from = config.from.parse().map_err(MailError::From)?;
        Ok(Self { transport: transport.timeout(Some(REPLY_TIMEOUT)).build(), from })
    }

    /// Sends one mail to all its recipients.
    ///
    /// # Errors
    /// If no recipient got it.
    pub async fn send(&self, Mail { id, to, subject, text }: Mail<'_>) -> Result<(), MailError> {
        let mail = self.builder(id, to)?.subject(subject).body(text)?;
        match self.transport.send(mail.clone()).await {
            Err(err) if rejects_recipient(&err) && to.len() > 1 => self.send_to_each(&mail, to).await,
            sent => Ok(sent.map(drop)?),
        }
    }

    fn builder(&self, id: &str, to: &[MailAddress]) -> Result<MessageBuilder, MailError> {
        let automatic = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        let builder = Message::builder()
            .from(self.from.clone())
            // The same if it is sent twice, so that mail programs show it once.
            .message_id(Some(format!("<{id}@{}>", self.from.email.domain())))
            // Suppresses automatic replies (RFC 3834).
            .raw_header(automatic)
            .header(ContentType::TEXT_PLAIN);
        to.iter().try_fold(builder, |builder, to| Ok(builder.to(Mailbox::new(None, parsed(to)?))))
    }

    /// Sends the mail to each recipient separately, since one invalid address must not keep it from the others.
    async fn send_to_each(&self, mail: &Message, to: &[MailAddress]) -> Result<(), MailError> {
        let bytes = mail.formatted();
        let mut result = Err(None);
        for address in to {
            let envelope = Envelope::new(Some(self.from.email.clone()), vec![parsed(address)?])?;
            match self.transport.send_raw(&envelope, &bytes).await {
                Ok(_) => result = Ok(()),
                Err(err) if rejects_recipient(&err) => {
                    tracing::warn!(%address, error = &err as &dyn std::error::Error, "mail address rejected by the server");
                    result = result.map_err(|_| Some(err));
                }
                // The recipients that got it should not get it again because of this one.
                Err(err) if result.is_ok() => {
                    tracing::error!(%address, error = &err as &dyn std::error::Error, "mail to one address abandoned");
                }
                Err(err) => return Err(err.into()),
            }
        }
        result.map_err(|err| err.expect("each of the addresses, which are at least one, failed").into())
    }
}

fn parsed(address: &MailAddress) -> Result<Address, MailError> {
    address.as_str().parse().map_err(MailError::To)
}

/// Returns whether the server rejects a recipient, not the sender: 550, 551 and 553 (RFC 5321, 4.2.3).
fn rejects_recipient(err: &smtp::Error) -> bool {
    err.status().is_some_and(|status| matches!(status.into(), 550_u16 | 551 | 553))
}
