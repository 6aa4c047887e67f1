//! What a plain scalar means: the core schema of YAML 1.2, and nothing of YAML 1.1.

use serde_json::{Number, Value};

/// What a plain scalar means.
#[derive(Clone, Debug, PartialEq)]
pub enum Plain {
    /// A value without a doubt.
    Value(Value),
    /// Readers disagree or JSON cannot say it: why, and what to do.
    Doubtful {
        /// Why.
        message: String,
        /// What to do next.
        hint: String,
    },
}

/// Reads a plain (unquoted) scalar.
///
/// Only `true` and `false` are booleans, so a role called `no` or `on` stays a word. A whole number
/// that begins with 0 is refused: YAML 1.1 (kubectl) reads `012` as ten, YAML 1.2 as twelve.
///
/// Source: YAML 1.2.2, 10.3.2 (tag resolution of the core schema).
pub fn read_plain(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Value(Value::Null),
        "true" | "True" | "TRUE" => return Plain::Value(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Plain::Value(Value::Bool(false)),
        _ => (),
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if is_special_float(text, unsigned) {
        return doubtful(format!("`{text}` is not a number that JSON can carry"));
    }
    if let Some(digits) = text.strip_prefix("0x") {
        return radix(text, digits, 16);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return radix(text, digits, 8);
    }
    if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return integer(text, unsigned);
    }
    if is_float(unsigned) {
        return float(text);
    }
    Plain::Value(Value::String(text.to_owned()))
}

/// True for `.inf`, `-.inf` and `.nan` in their three spellings.
fn is_special_float(text: &str, unsigned: &str) -> bool {
    matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN")
}

/// A scalar that needs quotes to be clear.
fn doubtful(message: String) -> Plain {
    Plain::Doubtful { message, hint: "put it in quotes if it is text".to_owned() }
}

/// A whole number in base 8 or 16; any other text is a word.
fn radix(text: &str, digits: &str, radix: u32) -> Plain {
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return Plain::Value(Value::String(text.to_owned()));
    }
    match u64::from_str_radix(digits, radix) {
        Ok(number) => Plain::Value(number.into()),
        Err(_) => doubtful(format!("`{text}` is too large for a whole number")),
    }
}

/// A whole number in base 10.
fn integer(text: &str, unsigned: &str) -> Plain {
    if unsigned.len() > 1 && unsigned.starts_with('0') {
        return Plain::Doubtful {
            message: format!("`{text}` begins with 0: some readers take it as octal"),
            hint: "put it in quotes if it is text, or leave the 0 out".to_owned(),
        };
    }
    let digits = text.strip_prefix('+').unwrap_or(text);
    let number = digits.parse::<u64>().map(Number::from);
    match number.or_else(|_| digits.parse::<i64>().map(Number::from)) {
        Ok(number) => Plain::Value(Value::Number(number)),
        Err(_) => doubtful(format!("`{text}` is too large for a whole number")),
    }
}

/// True for `[0-9]*.?[0-9]*([eE][-+]?[0-9]+)?` with at least one digit before the exponent.
fn is_float(unsigned: &str) -> bool {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent_fits = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    digits(whole) && digits(fraction) && !(whole.is_empty() && fraction.is_empty()) && exponent_fits
}

/// A number with a fraction or an exponent.
fn float(text: &str) -> Plain {
    match text.parse::<f64>().ok().and_then(Number::from_f64) {
        Some(number) => Plain::Value(Value::Number(number)),
        None => doubtful(format!("`{text}` is too large for a number")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use serde_json::json;

    use super::Plain;
    use super::read_plain;

    fn value(text: &str) -> Value {
        match read_plain(text) {
            Plain::Value(value) => value,
            Plain::Doubtful { message, .. } => panic!("{message}"),
        }
    }

    #[test]
    fn words_of_yaml_1_1_stay_words() {
        let words = ["no", "No", "NO", "yes", "on", "off", "y", "n", "1_000", "1:20", "2026-11-22"];
        for word in words.into_iter().chain(["0b1", "0x", "0xg", "1e", "-", "+", ".", "e3", "0o8"])
        {
            assert_eq!(value(word), json!(word));
        }
    }

    #[test]
    fn the_core_schema_is_read() {
        assert_eq!(value("true"), json!(true));
        assert_eq!(value("FALSE"), json!(false));
        assert_eq!(value("~"), json!(null));
        assert_eq!(value(""), json!(null));
        assert_eq!(value("0"), json!(0));
        assert_eq!(value("-12"), json!(-12));
        assert_eq!(value("+12"), json!(12));
        assert_eq!(value("0x1F"), json!(31));
        assert_eq!(value("0o17"), json!(15));
        assert_eq!(value("1e3"), json!(1000.0));
        assert_eq!(value("-.5"), json!(-0.5));
        assert_eq!(value("18446744073709551615"), json!(u64::MAX));
    }

    #[test]
    fn what_readers_disagree_on_is_refused() {
        for text in ["012", "-.inf", ".nan", "18446744073709551616", "0x1ffffffffffffffff", "1e999"]
        {
            assert!(matches!(read_plain(text), Plain::Doubtful { .. }), "{text} was taken");
        }
    }
}
