//! Named points where a debug build can be killed, to show that nothing is lost or sent twice.
//!
//! A release build has no points: [`hit`] is nothing there, and [`arm`] refuses.

use thiserror::Error;

/// Why a failpoint could not be armed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum FailpointError {
    /// The text is not of the form `name` or `name:n`.
    #[error("a failpoint is given as NAME or NAME:N, with N from 1")]
    Form,
    /// One failpoint a process, armed once.
    #[error("a failpoint is armed already")]
    Armed,
    /// Release builds have none.
    #[error("this build has no failpoints")]
    Absent,
}

/// Arms `spec`: the process is killed at the n-th hit of the point `name`, at the first when no
/// number is given. A name that no code hits never fires: a test asserts that the process died.
///
/// # Errors
///
/// [`FailpointError`] when `spec` cannot be armed.
#[cfg(debug_assertions)]
pub fn arm(spec: &str) -> Result<(), FailpointError> {
    armed::arm(spec)
}

/// Refuses: a release build has no failpoints.
///
/// # Errors
///
/// [`FailpointError::Absent`], always.
#[cfg(not(debug_assertions))]
pub fn arm(_spec: &str) -> Result<(), FailpointError> {
    Err(FailpointError::Absent)
}

/// Passes the point `name`. Does not come back when it is armed and its time has come.
#[inline]
pub fn hit(name: &str) {
    #[cfg(debug_assertions)]
    armed::hit(name);
    #[cfg(not(debug_assertions))]
    let _ = name;
}

#[cfg(debug_assertions)]
mod armed {
    use std::process;
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::FailpointError;

    static ARMED: OnceLock<Failpoint> = OnceLock::new();

    struct Failpoint {
        name: String,
        hits_left: AtomicU64,
    }

    pub(super) fn arm(spec: &str) -> Result<(), FailpointError> {
        let (name, hits) = spec.split_once(':').unwrap_or((spec, "1"));
        let hits = hits.parse().ok().filter(|hits| *hits > 0).ok_or(FailpointError::Form)?;
        if name.is_empty() {
            return Err(FailpointError::Form);
        }
        let failpoint = Failpoint { name: name.to_owned(), hits_left: AtomicU64::new(hits) };
        ARMED.set(failpoint).map_err(|_| FailpointError::Armed)
    }

    /// Aborts instead of a SIGKILL, which a process cannot send itself without unsafe code. Like
    /// there, nothing is unwound, flushed or dropped.
    pub(super) fn hit(name: &str) {
        let Some(failpoint) = ARMED.get() else { return };
        if failpoint.name == name && failpoint.hits_left.fetch_sub(1, Ordering::SeqCst) == 1 {
            process::abort();
        }
    }
}

#[cfg(test)]
#[cfg(debug_assertions)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::{Command, ExitStatus};

    use super::{FailpointError, arm, hit};

    /// Set in the child only: the test binary runs itself, because a kill takes the process.
    const CHILD: &str = "SEATKEEPER_TEST_FAILPOINT";
    const SIGABRT: i32 = 6;

    fn run_armed_with(spec: &str) -> ExitStatus {
        let name = "failpoint::tests::an_armed_point_kills_the_process_at_its_hit";
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--nocapture"])
            .env(CHILD, spec)
            .output()
            .unwrap()
            .status
    }

    #[test]
    fn an_armed_point_kills_the_process_at_its_hit() {
        if let Some(spec) = std::env::var_os(CHILD) {
            arm(spec.to_str().unwrap()).unwrap();
            assert_eq!(arm("again"), Err(FailpointError::Armed));
            hit("here");
            hit("there");
            hit("here");
            return;
        }
        assert_eq!(run_armed_with("here").signal(), Some(SIGABRT));
        assert_eq!(run_armed_with("here:2").signal(), Some(SIGABRT));
        assert!(run_armed_with("here:3").success(), "there is no third hit");
        assert!(run_armed_with("nowhere").success());
    }

    #[test]
    fn a_point_has_a_name_and_a_number_from_one() {
        for spec in ["", ":1", "here:0", "here:x", "here:1:2"] {
            assert_eq!(arm(spec), Err(FailpointError::Form), "{spec} was taken");
        }
    }
}
