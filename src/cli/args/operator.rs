//! Arguments of `operator`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::SignedDuration;

/// Arguments of `operator`.
#[derive(Debug, Args)]
pub struct OperatorArgs {
    /// Address of /livez, /readyz and /metrics.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    pub listen: SocketAddr,
    /// Writes the address that it listens on to this file.
    #[arg(long, value_name = "FILE")]
    pub address_file: Option<PathBuf>,
    /// Accounts reconciled at the same time.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub concurrency: u16,
    /// Looks at this namespace only. Default: all namespaces.
    #[arg(long, value_name = "NAMESPACE")]
    pub namespace: Option<String>,
    /// Keeps the Accounts of this AccountClass only; repeatable, or several with commas. Others are left
    /// to other operators, each with classes of its own. Default: all classes.
    #[arg(long = "class", value_name = "NAME", value_delimiter = ',', value_parser = object_name)]
    pub classes: Vec<String>,
    /// Namespace of the Lease by which replicas agree which of them acts. Default: that of the pod or of
    /// the kubeconfig's context.
    #[arg(long, value_name = "NAMESPACE", value_parser = object_name)]
    pub lease_namespace: Option<String>,
    /// Name of the Lease. Replicas of one operator have the same. Default: `seatkeeper`; with --class or
    /// --namespace one that follows from them.
    #[arg(long, value_name = "NAME", value_parser = object_name)]
    pub lease_name: Option<String>,
    /// A replica that dies is replaced so long after its last sign of life. One that
    /// cannot renew the Lease stops to act after two thirds of it.
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = lease_duration)]
    pub lease_duration: Duration,
    /// Name of this machine or pod, for whoever reads the Lease.
    #[arg(long, hide = true, env = "HOSTNAME", default_value = "seatkeeper")]
    pub host: String,
}

/// Reads the name of an object of Kubernetes.
fn object_name(text: &str) -> Result<String, &'static str> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let ends = text.starts_with(inner) && text.ends_with(inner);
    if ends && text.len() <= 253 && text.chars().all(|c| inner(c) || c == '-' || c == '.') {
        Ok(text.to_owned())
    } else {
        Err("give the name of an object: lower case letters, digits, `-` and `.`")
    }
}

/// Reads how long a lease lasts.
fn lease_duration(text: &str) -> Result<Duration, &'static str> {
    let (least, most) = (Duration::from_secs(3), Duration::from_mins(5));
    let time: SignedDuration = text.parse().map_err(|_| "give a time as 15s or 1m")?;
    match Duration::try_from(time) {
        Ok(time) if (least..=most).contains(&time) && time.subsec_nanos() == 0 => Ok(time),
        _ => Err("give a time from 3s to 5m in whole seconds"),
    }
}

#[cfg(test)]
mod tests {
    use super::{lease_duration, object_name};

    #[test]
    fn a_lease_lasts_whole_seconds_and_neither_too_short_nor_too_long() {
        for good in ["3s", "15s", "1m", "5m"] {
            assert!(lease_duration(good).is_ok(), "{good}");
        }
        for bad in ["", "15", "-15s", "0s", "2s", "15500ms", "301s", "1h"] {
            assert!(lease_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_are_those_that_objects_can_have() {
        let long = "a".repeat(254);
        for bad in ["", "-a", "a-", "A", "a_b", "a/b", "ä", &*long] {
            assert!(object_name(bad).is_err(), "{bad}");
        }
        assert_eq!(object_name("a-1.b").as_deref(), Ok("a-1.b"));
    }
}
