//! From values to text that every reader takes alike.

use serde::Serialize;
use serde_saphyr::{SerializeError, ser_options};
use thiserror::Error;

/// Why a value cannot be written.
#[derive(Debug, Error)]
#[error("cannot be written as YAML")]
pub struct WriteError(#[source] Box<SerializeError>);

/// Writes one document, in the order in which `value` gives its fields.
///
/// A string that any reader could take for something else comes out quoted: `no`, `on`, `1_000`,
/// `012`, `1e3`, `2026-11-22`, `null`. The readers of YAML 1.1 (kubectl's among them) and of 1.2
/// so read the same.
///
/// # Errors
///
/// [`WriteError`] when `value` cannot be said in YAML.
pub fn write<T: Serialize>(value: &T) -> Result<String, WriteError> {
    let options = ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(value, options)
        .map_err(|error| WriteError(Box::new(error)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::Value;
    use serde_json::json;

    use super::write;
    use crate::yaml::read;

    /// Words that YAML 1.1 reads as something else than text.
    const TRAPS: [&str; 36] = [
        "no",
        "No",
        "NO",
        "n",
        "N",
        "yes",
        "y",
        "Y",
        "on",
        "On",
        "off",
        "OFF",
        "true",
        "False",
        "null",
        "Null",
        "~",
        "",
        "1_000",
        "0x1",
        "0o7",
        "012",
        "0b1",
        "1e3",
        "1.5",
        ".5",
        "-1",
        "+1",
        ".inf",
        ".NaN",
        "1:20",
        "2026-11-22",
        "2026-11-22T05:00:00Z",
        "<<",
        "=",
        "-",
    ];

    #[test]
    fn strings_that_look_like_something_else_are_quoted() {
        for trap in TRAPS {
            let text = write(&BTreeMap::from([("a", trap)])).unwrap();
            let written = text.trim_end().strip_prefix("a: ").unwrap_or_default();
            assert!(written.starts_with(['"', '\'']), "{trap} is written as {text}");
            let text = write(&BTreeMap::from([(trap, 1)])).unwrap();
            assert!(text.starts_with(['"', '\'']), "the key {trap} is written as {text}");
        }
    }

    #[test]
    fn what_is_written_is_read_back_by_two_readers() {
        let texts = [
            "a: b",
            "# no",
            "a #b",
            "@a",
            "`",
            "*x",
            "&x",
            "!t",
            "%d",
            "- a",
            "? a",
            "|",
            ">",
            "[",
            "{a",
            "it's",
            "say \"no\"",
            "a\nb\n",
            "\ttab",
            " space ",
            "é\u{2028}\u{7f}",
            "back\\slash",
            "---",
            "...",
            "a,b",
            "a:",
            "1 000",
            "\u{feff}x",
            "\0",
        ];
        let long = "word ".repeat(60);
        let strings: Vec<&str> = TRAPS.into_iter().chain(texts).chain([long.as_str()]).collect();
        let keyed: BTreeMap<&str, &str> = strings.iter().map(|text| (*text, *text)).collect();
        let value = json!({
            "strings": strings, "keyed": keyed, "empty": [], "none": {}, "number": 12, "half": 0.5,
            "yes": true, "nothing": null, "deep": [[{"a": [1, {"b": []}]}]],
        });
        let text = write(&value).unwrap();
        let second: Value = serde_yaml::from_str(&text).unwrap();
        assert_eq!(second, value);
        let keyless = json!({"strings": strings, "half": 0.5, "deep": [[{"a": [1, {"b": []}]}]]});
        let text = write(&keyless).unwrap();
        let (documents, problems) = read("out.yaml", &text);
        assert_eq!(problems, []);
        assert_eq!(documents[0].value, keyless);
    }

    proptest! {
        #[test]
        fn any_text_survives_two_readers(text in "\\PC{0,24}|[-+0-9_.:eExobaflTn~ ]{1,8}|[ \\t\\r\\n#:a'\"]{0,8}") {
            let value = json!({"list": [text, {"k": text}], "keyed": {format!("k{text}"): 1}});
            let written = write(&value).unwrap();
            let second: Value = serde_yaml::from_str(&written).unwrap();
            prop_assert_eq!(&second, &value);
            let (documents, problems) = read("out.yaml", &written);
            prop_assert_eq!(problems, []);
            prop_assert_eq!(&documents[0].value, &value);
        }

        #[test]
        fn no_text_makes_the_reader_stumble(text in "[-:#?&*!|>'\"%@`{}\\[\\],ab0 \\t\\n~<]{0,60}") {
            let (documents, problems) = read("in.yaml", &text);
            for document in documents {
                prop_assert!(document.position("").is_some());
            }
            for problem in problems {
                prop_assert!(problem.position.is_some() && !problem.hint.is_empty());
            }
        }
    }
}
