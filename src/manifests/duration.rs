//! Durations as manifests write them.

use std::time::Duration;

/// Reads a whole number of seconds, minutes, hours or days: `30s`, `10m`, `24h`, `7d`.
///
/// `None` for anything else; at most five digits, as the schema says.
pub fn parse(text: &str) -> Option<Duration> {
    let digits = text.strip_suffix(['s', 'm', 'h', 'd'])?;
    if digits.len() > 5 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = match text.bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 3_600,
        _ => 86_400,
    };
    Some(Duration::from_secs(digits.parse::<u64>().ok()? * seconds))
}

/// Writes a duration as [`parse`] reads it, in the largest unit that fits.
pub fn text(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm')];
    let unit =
        units.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    let (unit, name) = unit.unwrap_or((1, 's'));
    format!("{}{name}", seconds / unit)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{parse, text};

    #[test]
    fn durations_are_a_number_and_a_unit() {
        assert_eq!(parse("30s"), Some(Duration::from_secs(30)));
        assert_eq!(parse("90m"), Some(Duration::from_secs(5_400)));
        assert_eq!(parse("24h"), Some(Duration::from_secs(86_400)));
        assert_eq!(parse("1d"), Some(Duration::from_secs(86_400)));
        assert_eq!(parse("0s"), Some(Duration::ZERO));
        for text in ["", "s", "10", "1w", "-1s", "+1s", "1.5h", "1h30m", " 1s", "123456s", "1é"] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn durations_are_written_in_the_largest_unit_that_fits() {
        for written in ["30d", "36h", "90m", "61s", "0s"] {
            assert_eq!(parse(written).map(text).as_deref(), Some(written));
        }
    }
}
