//! The words of the mails and what is made of them.

use jiff::Timestamp;
use lettre::message::Mailbox;
use serde_json::{Value, json};

use super::compose::{Composer, Head, Senders};
use super::words::Rendered;
use crate::server::mail::Template;
use crate::server::mail::template::ADDED;

const HOSTILE: &str = "Evil\r\nBcc: thief@example.com\r\n\r\nhttps://evil.example/ \
                       <script>alert(1)</script> {{ link }}{% raw %}\u{202e}\u{2028}";
const LINK: &str = "https://seats.example.com/i/x?a=1&b=\"2\"";

fn composer() -> Composer {
    let from: Mailbox = "Seats <seats@example.com>".parse().unwrap();
    Composer::new("seats.example.com", Senders { from, return_path: None }).unwrap()
}

/// Each case of each mail with these names for words.
fn all(composer: &Composer, name: &str) -> Vec<(Template, Rendered)> {
    let cases = |template| match template {
        Template::AccessResult => vec!["approved", "rejected", "no-seat"],
        Template::Billing => vec!["changed", "renewed", "cancelled", "end-near"],
        Template::Usage => vec!["80", "100"],
        _ => vec![name],
    };
    let all = Template::ALL.iter().flat_map(|template| {
        cases(*template).into_iter().map(|case| (*template, words(*template, name, case)))
    });
    all.map(|(template, words)| {
        let mail = composer.words.render(template, &words, "seats.example.com").unwrap();
        (template, mail)
    })
    .collect()
}

fn words(template: Template, name: &str, case: &str) -> Value {
    let changes = json!([
        { "kind": "added", "person": name, "role": name },
        { "kind": "removed", "person": name },
        { "kind": "role-changed", "person": name, "from": name, "to": name },
        { "kind": "renamed", "from": name, "to": name },
    ]);
    let given = template.kind().words.iter().map(|&word| {
        let value = match word {
            "changes" => changes.clone(),
            "day" | "expires" => json!("2030-05-01T10:00:00Z"),
            "percent" => json!(case.parse::<u32>().unwrap()),
            "limit" | "used" => json!(12),
            "result" | "event" => json!(case),
            _ => json!(name),
        };
        (word.to_owned(), value)
    });
    given.collect::<serde_json::Map<_, _>>().into()
}

fn head() -> Head {
    let to = "ana@example.com".parse().unwrap();
    Head { id: "01J".to_owned(), to, at: Timestamp::UNIX_EPOCH }
}

#[test]
fn every_mail_keeps_its_headers_lines_and_markup_whatever_the_names_say() {
    let composer = composer();
    for (template, mail) in all(&composer, HOSTILE) {
        let name = template.name();
        let text = composer.frame("frame.txt", &mail, LINK).unwrap();
        let html = composer.frame("frame.html", &mail, LINK).unwrap();
        let links: Vec<_> = text.lines().filter(|line| line.starts_with("http")).collect();
        assert_eq!(links, [LINK], "{name}: a name made a line of its own\n{text}");
        assert!(!text.contains('\u{202e}') && !text.contains('\u{2028}'), "{name}\n{text}");
        assert!(!html.contains("<script") && !html.contains("&b=\""), "{name}\n{html}");
        let message = composer.message(&head(), &mail, LINK).unwrap();
        let message = String::from_utf8(message).unwrap();
        let (headers, _) = message.split_once("\r\n\r\n").unwrap();
        let names: Vec<_> = headers
            .lines()
            .filter(|line| !line.starts_with([' ', '\t']))
            .map(|line| line.split(':').next().unwrap())
            .collect();
        let known = [
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "Auto-Submitted",
            "MIME-Version",
            "Content-Type",
        ];
        assert_eq!(names, known, "{name}\n{headers}");
        assert!(headers.contains("To: ana@example.com\r\n"), "{headers}");
        assert!(headers.contains("Message-ID: <01J@example.com>"), "{headers}");
    }
}

#[test]
fn a_mail_is_plain_and_says_everything_in_text_too() {
    let composer = composer();
    let words = json!({ "account": "Acme", "changes": [
        { "kind": "added", "person": "ana@example.com", "role": "developer" },
        { "kind": "removed", "person": "bo@example.com" },
        { "kind": "role-changed", "person": "cyd@example.com", "from": "biller", "to": "admin" },
        { "kind": "renamed", "from": "Core", "to": "Core team" },
    ]});
    let mail = composer.words.render(Template::MembersChanged, &words, "seats.example.com");
    let mail = mail.unwrap();
    let link = "https://seats.example.com/accounts/acme/members";
    insta::assert_snapshot!(composer.frame("frame.txt", &mail, link).unwrap(), @r#"
    This has changed in Acme:

    - Added ana@example.com as developer
    - Removed bo@example.com
    - Changed the role of cyd@example.com from biller to admin
    - Renamed Core to Core team

    Look at the members:

    https://seats.example.com/accounts/acme/members

    You get this mail because you administer the account.

    -- 
    This mail was sent by the account service at seats.example.com.
    "#);
    let html = composer.frame("frame.html", &mail, link).unwrap();
    assert_eq!(html.matches("<li").count(), 4, "{html}");
}

#[test]
fn a_mail_refuses_a_name_that_it_is_not_given_and_a_case_that_it_does_not_know() {
    let composer = composer();
    for template in Template::ALL {
        for missing in template.kind().words.iter().filter(|word| **word != "slug") {
            let mut words = words(template, "x", "80");
            words.as_object_mut().unwrap().remove(*missing);
            let rendered = composer.words.render(template, &words, "h");
            assert!(rendered.is_err(), "{} without {missing}", template.name());
            let asked = template.must_have(&words).is_err();
            assert_eq!(asked, !ADDED.contains(missing), "{} without {missing}", template.name());
        }
    }
    let words = words(Template::Billing, "x", "doubled");
    assert!(composer.words.render(Template::Billing, &words, "h").is_err());
}
