//! One mail as a message: template, words and, for this moment only, the link.

use std::time::SystemTime;

use jiff::Timestamp;
use lettre::address::AddressError;
use lettre::message::header::{
    ContentTransferEncoding, ContentType, Header, HeaderName, HeaderValue,
};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use lettre::{Address, Message};
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use serde_json::Value;

use crate::server::Service;
use crate::server::error::ServerError;
use crate::server::link::{self, Purpose, SecretKey};
use crate::server::mail::template::{Link, Template};
use crate::server::mail::words::{Rendered, Words, unlinked};
use crate::server::store::outbox::MailRow;
use crate::server::store::{client_accesses, invitations, ownership_changes};

/// Longest line of a mail. Source: RFC 5322, 2.1.1.
const MAX_LINE: usize = 998;

/// A message that is ready to go.
#[derive(Debug)]
pub(super) struct Letter {
    /// Id of the outbox row.
    pub id: String,
    /// Name of the template.
    pub template: &'static str,
    /// Where it comes back to if it cannot be delivered.
    pub return_path: Address,
    pub to: Address,
    /// The message with its headers.
    pub bytes: Vec<u8>,
}

/// Renders templates and builds messages.
pub(crate) struct Composer {
    pub(super) words: Words,
    frames: Environment<'static>,
    from: Mailbox,
    return_path: Option<Address>,
    /// Host of the public address.
    host: String,
}

/// Who mails are from.
#[derive(Clone, Debug)]
pub(crate) struct Senders {
    /// Whom people see.
    pub from: Mailbox,
    /// Mailbox that mails come back to; every mail gets an address of its own in it.
    pub return_path: Option<Address>,
}

/// What stands in the headers of a mail besides its words.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub id: String,
    pub to: Address,
    pub at: Timestamp,
}

/// Says that no person wrote the mail, so that no machine answers it. Source: RFC 3834, 5.
#[derive(Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

impl Composer {
    /// Reads the words. `host` is that of the public address.
    pub fn new(host: &str, senders: Senders) -> Result<Self, ServerError> {
        let mut frames = Environment::new();
        frames.set_undefined_behavior(UndefinedBehavior::Strict);
        frames.set_trim_blocks(true);
        frames.set_auto_escape_callback(|name| match name {
            "frame.html" => AutoEscape::Html,
            _ => AutoEscape::None,
        });
        frames.add_template("frame.html", include_str!("templates/frame.html"))?;
        frames.add_template("frame.txt", include_str!("templates/frame.txt"))?;
        let Senders { from, return_path } = senders;
        let host = host.to_owned();
        Ok(Self { words: Words::english()?, frames, from, return_path, host })
    }

    /// Where a mail comes back to: to the sender, or to a mailbox that says which mail it was.
    fn return_path(&self, key: &SecretKey, mail: &str) -> Result<Address, AddressError> {
        let Some(mailbox) = &self.return_path else { return Ok(self.from.email.clone()) };
        let user = format!("{}+{}", mailbox.user(), link::bounce_tag(key, mail));
        Address::new(user, mailbox.domain())
    }

    /// The message as it goes out. Headers are encoded by the library: no word can end one.
    pub(super) fn message(
        &self,
        head: &Head,
        mail: &Rendered,
        link: &str,
    ) -> Result<Vec<u8>, MailError> {
        let text = self.frame("frame.txt", mail, link)?;
        let html = self.frame("frame.html", mail, link)?;
        let text = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(plain(&text));
        let html = SinglePart::builder().header(ContentType::TEXT_HTML).body(html);
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, head.to.clone()))
            .subject(mail.subject.clone())
            .date(SystemTime::from(head.at))
            .message_id(Some(format!("<{}@{}>", head.id, self.from.email.domain())))
            .header(AutoSubmitted)
            .multipart(MultiPart::alternative().singlepart(text).singlepart(html))?;
        Ok(message.formatted())
    }

    pub(super) fn frame(
        &self,
        name: &str,
        mail: &Rendered,
        link: &str,
    ) -> Result<String, minijinja::Error> {
        let words = context! { link, ..minijinja::Value::from_serialize(mail) };
        self.frames.get_template(name)?.render(words)
    }
}

/// Puts the words of a row together, with its link.
pub(super) async fn letter(service: &Service, row: &MailRow) -> Result<Letter, MailError> {
    let template = Template::parse(&row.template).ok_or(MailError::Template)?;
    let mut words: Value = serde_json::from_str(&row.words)?;
    let link = match template.kind().link {
        Link::Invitation => row_link(service, Purpose::Invitation, row, &mut words).await?,
        Link::Grant => row_link(service, Purpose::Grant, row, &mut words).await?,
        Link::Own => row_link(service, Purpose::Own, row, &mut words).await?,
        Link::ConfirmAddress => {
            let token = link::address_token(&service.key, &row.address, row.created_at);
            service.link(&format!("/v/{token}"))
        }
        Link::Home => service.link("/"),
        Link::Members => {
            let slug = words.get("slug").and_then(Value::as_str).ok_or(MailError::Subject)?;
            service.link(&format!("/accounts/{slug}/members"))
        }
    };
    let composer = &service.composer;
    let mail = composer.words.render(template, &words, &composer.host)?;
    let head = Head { id: row.id.clone(), to: row.address.parse()?, at: row.created_at };
    let bytes = composer.message(&head, &mail, &link)?;
    let return_path = composer.return_path(&service.key, &row.id)?;
    Ok(Letter { id: head.id, template: template.name(), return_path, to: head.to, bytes })
}

/// The link to the row that a mail is about, for the address that it goes to. Adds when it expires,
/// and what its inviter wrote.
async fn row_link(
    service: &Service,
    purpose: Purpose,
    row: &MailRow,
    words: &mut Value,
) -> Result<String, MailError> {
    let mut snapshot = service.store.snapshot().await?;
    let generation = match purpose {
        Purpose::Invitation => {
            let invitation = invitations::by_link(&mut snapshot, &row.subject).await?;
            let invitation = invitation.ok_or(MailError::Subject)?;
            if let Some(words) = words.as_object_mut() {
                let text =
                    |text: &Option<String>| text.as_deref().map(unlinked).unwrap_or_default();
                words.insert("expires".to_owned(), invitation.expires_at.to_string().into());
                words.insert("name".to_owned(), text(&invitation.name).into());
                words.insert("message".to_owned(), text(&invitation.message).into());
            }
            invitation.generation
        }
        Purpose::Grant => {
            let access = client_accesses::by_link(&mut snapshot, &row.subject).await?;
            access.ok_or(MailError::Subject)?.generation
        }
        Purpose::Own => {
            let change = ownership_changes::by_link(&mut snapshot, &row.subject).await?;
            change.ok_or(MailError::Subject)?.generation
        }
        // Nobody is mailed a link that logs in.
        Purpose::LogIn => return Err(MailError::Subject),
    };
    let token = link::row_token(&service.key, purpose, &row.subject, generation, &row.address);
    Ok(service.link(&format!("{}{token}", purpose.path())))
}

/// The text part. Plain ASCII goes out as it is, so that links stay whole for whoever reads the
/// file; the library would break them off at 76 characters.
fn plain(text: &str) -> Body {
    let fits = text.is_ascii() && text.lines().all(|line| line.len() <= MAX_LINE);
    if !fits {
        return Body::new(text.to_owned());
    }
    let lines: Vec<&str> = text.lines().collect();
    let bytes = format!("{}\r\n", lines.join("\r\n")).into_bytes();
    Body::dangerous_pre_encoded(bytes, ContentTransferEncoding::SevenBit)
}

/// Why a mail could not be put together.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MailError {
    /// No such template.
    #[error("the outbox names a template that is not there")]
    Template,
    /// The row that the mail is about is gone.
    #[error("the row that the mail is about is not there")]
    Subject,
    /// The template did not render.
    #[error("the template could not be rendered")]
    Render(#[from] minijinja::Error),
    /// A header was refused.
    #[error("the message could not be built")]
    Build(#[from] lettre::error::Error),
    /// An address was refused.
    #[error("the address could not be written in a header")]
    Address(#[from] AddressError),
    /// The words of the row cannot be read.
    #[error("the words of the mail cannot be read")]
    Words(#[from] serde_json::Error),
    /// The store failed.
    #[error("the store failed")]
    Store(#[from] sqlx::Error),
}
