//! One mail as text: template, words and, for this moment only, the link.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use lettre::Message;
use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use minijinja::{Environment, UndefinedBehavior, context};
use serde_json::Value;

use crate::server::Service;
use crate::server::error::ServerError;
use crate::server::link::{self, Purpose};
use crate::server::mail::{MailError, Template};
use crate::server::store::client_accesses::{self, AccessRow};
use crate::server::store::invitations;
use crate::server::store::outbox::MailRow;

/// Longest line of a mail. Source: RFC 5322, 2.1.1.
const MAX_LINE: usize = 998;

/// A mail before it is a message.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    /// Id of the outbox row; part of the message id.
    pub id: String,
    /// Canonical address.
    pub to: String,
    /// One line.
    pub subject: String,
    /// Paragraphs, separated by empty lines; a line that is a link alone stays one.
    pub text: String,
    /// When it was queued.
    pub at: Timestamp,
}

/// Renders templates and builds messages.
pub(crate) struct Composer {
    templates: Environment<'static>,
    from: Mailbox,
    host: String,
}

impl Composer {
    /// Compiles all templates; the sender is at the host of the public address.
    pub fn new(host: &str) -> Result<Self, ServerError> {
        let mut templates = Environment::new();
        templates.set_undefined_behavior(UndefinedBehavior::Strict);
        templates.set_auto_escape_callback(|name| {
            if name.ends_with(".html") {
                minijinja::AutoEscape::Html
            } else {
                minijinja::AutoEscape::None
            }
        });
        for template in Template::ALL {
            templates.add_template(template.name(), template.text())?;
        }
        templates.add_template("frame.html", include_str!("templates/frame.html"))?;
        // An address literal or a name without a dot is no domain of a sender.
        let is_domain = host.contains('.') && host.parse::<std::net::IpAddr>().is_err();
        let domain = if is_domain { host } else { "localhost.invalid" };
        let address = lettre::Address::new("no-reply", domain)
            .or_else(|_| lettre::Address::new("no-reply", "localhost.invalid"))
            .map_err(|_| ServerError::PublicUrl)?;
        let from = Mailbox::new(Some("Account service".to_owned()), address);
        Ok(Self { templates, from, host: domain.to_owned() })
    }

    /// Renders a template: its first line is the subject.
    fn render(&self, template: Template, words: &Value) -> Result<(String, String), MailError> {
        let text = self.templates.get_template(template.name())?.render(words)?;
        let (subject, text) = text.split_once('\n').unwrap_or((&text, ""));
        let subject: String = subject.chars().filter(|c| !c.is_control()).collect();
        Ok((subject, text.trim_start().to_owned()))
    }

    /// The message as it goes out. Headers are encoded by the library: no word can end one.
    pub fn message(&self, mail: &Mail) -> Result<Vec<u8>, MailError> {
        let paragraphs: Vec<&str> = mail.text.split("\n\n").map(str::trim).collect();
        let html = self
            .templates
            .get_template("frame.html")?
            .render(context! { subject => mail.subject, paragraphs => paragraphs })?;
        let text = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(plain(&mail.text));
        let html = SinglePart::builder().header(ContentType::TEXT_HTML).body(html);
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, mail.to.parse()?))
            .subject(mail.subject.clone())
            .date(SystemTime::from(mail.at))
            .message_id(Some(format!("<{}@{}>", mail.id, self.host)))
            .multipart(MultiPart::alternative().singlepart(text).singlepart(html))?;
        Ok(message.formatted())
    }
}

/// Puts the words of a row together, with the link where there is one.
pub(super) async fn mail(
    service: &Service,
    row: &MailRow,
    template: Template,
) -> Result<Mail, MailError> {
    let mut words: Value = serde_json::from_str(&row.words)?;
    let mut add = |name: &str, value: String| {
        if let Some(words) = words.as_object_mut() {
            words.insert(name.to_owned(), Value::String(value));
        }
    };
    match template {
        Template::Invitation | Template::Resend => {
            let mut snapshot = service.store.snapshot().await?;
            let invitation = invitations::by_link(&mut snapshot, &row.subject).await?;
            let invitation = invitation.ok_or(MailError::Subject)?;
            let token = link::invitation_token(
                &service.key,
                &invitation.id,
                invitation.generation,
                &invitation.address,
            );
            add("link", service.link(&format!("/i/{token}")));
            add("expires", day(invitation.expires_at));
        }
        Template::AccessRequested => {
            let mut snapshot = service.store.snapshot().await?;
            let access = client_accesses::by_link(&mut snapshot, &row.subject).await?;
            let AccessRow { id, generation, address, .. } = access.ok_or(MailError::Subject)?;
            let token = link::row_token(&service.key, Purpose::Grant, &id, generation, &address);
            add("link", service.link(&format!("{}{token}", Purpose::Grant.path())));
        }
        Template::ConfirmAddress => {
            let token = link::address_token(&service.key, &row.address, row.created_at);
            add("link", service.link(&format!("/v/{token}")));
        }
        Template::AccessResult
        | Template::WebsiteStatus
        | Template::RoleChanged
        | Template::Removed
        | Template::Trimmed
        | Template::Reinstated
        | Template::SeatsShort
        | Template::InvitationExpired
        | Template::Billing
        | Template::Usage => {
            add("link", service.link("/"));
        }
    }
    let (subject, text) = service.composer.render(template, &words)?;
    Ok(Mail { id: row.id.clone(), to: row.address.clone(), subject, text, at: row.created_at })
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

/// A day for people, in UTC.
fn day(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%-d %B %Y").to_string()
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use serde_json::json;

    use super::{Composer, Mail};
    use crate::server::mail::Template;

    const HOSTILE: &str =
        "Evil\r\nBcc: thief@example.com\r\n\r\n<script>alert(1)</script> {{ link }}";

    #[test]
    fn every_mail_keeps_its_headers_and_its_markup_whatever_the_names_say() {
        let composer = Composer::new("seats.example.com").unwrap();
        let words = json!({
            "account": HOSTILE, "slug": HOSTILE, "role": HOSTILE, "from": HOSTILE, "to": HOSTILE,
            "client": HOSTILE, "result": HOSTILE, "website": HOSTILE,
            "person": HOSTILE, "plan": HOSTILE, "event": HOSTILE, "day": HOSTILE,
            "meter": HOSTILE, "percent": 80, "used": HOSTILE, "limit": HOSTILE,
            "link": "https://seats.example.com/i/x", "expires": "1 May 2030",
        });
        for template in Template::ALL {
            let (subject, text) = composer.render(template, &words).unwrap();
            let mail = Mail {
                id: "01J".to_owned(),
                to: "ana@example.com".to_owned(),
                subject,
                text,
                at: Timestamp::UNIX_EPOCH,
            };
            let message = String::from_utf8(composer.message(&mail).unwrap()).unwrap();
            let (headers, body) = message.split_once("\r\n\r\n").unwrap();
            assert!(!headers.to_lowercase().contains("\nbcc:"), "{headers}");
            let html = body.split("text/html").nth(1).unwrap();
            assert!(!html.contains("<script>alert"), "{html}");
            assert!(headers.contains("To: ana@example.com"), "{headers}");
        }
    }

    #[test]
    fn a_template_refuses_a_name_it_does_not_know() {
        let composer = Composer::new("seats.example.com").unwrap();
        assert!(composer.render(Template::Invitation, &json!({ "account": "Acme" })).is_err());
    }
}
