//! How a failure is told: what went wrong, where, and what to do. One block, no chains of causes.

use std::{error::Error, fmt, process::ExitCode};

/// The end of a command that could not do what it was asked.
#[derive(Debug)]
pub struct Failure {
    what: String,
    place: Option<String>,
    remedy: Option<String>,
    /// Single findings, where there are several.
    details: Vec<String>,
    status: u8,
    /// Everything was told already.
    silent: bool,
}

impl Failure {
    /// A failure in the words of an error: by our own custom what follows “; ” is what to do.
    pub fn new(said: impl Into<String>) -> Self {
        let said = said.into();
        let (what, remedy) = match said.split_once("; ") {
            Some((what, remedy)) => (what.to_owned(), Some(remedy.to_owned())),
            None => (said, None),
        };
        Self { what, place: None, remedy, details: Vec::new(), status: 1, silent: false }
    }

    /// An error with its causes on one line, those that it repeats left out.
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let mut said = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let more = error.to_string();
            if !said.contains(&more) {
                said = match said.split_once("; ") {
                    Some((what, remedy)) => format!("{what}: {more}; {remedy}"),
                    None => format!("{said}: {more}"),
                };
            }
            cause = error.source();
        }
        Self::new(said)
    }

    /// The command or its settings are wrong, rather than the world.
    pub fn usage(said: impl Into<String>) -> Self {
        Self { status: 2, ..Self::new(said) }
    }

    /// The findings stand on standard output.
    pub fn told() -> Self {
        Self { silent: true, ..Self::new("") }
    }

    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    pub fn details(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }

    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.status)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.silent {
            return Ok(());
        }
        writeln!(f, "error: {}", self.what)?;
        for detail in &self.details {
            writeln!(f, "  {detail}")?;
        }
        if let Some(place) = &self.place {
            writeln!(f, "  where: {place}")?;
        }
        if let Some(remedy) = &self.remedy {
            writeln!(f, "  to do: {remedy}")?;
        }
        Ok(())
    }
}

macro_rules! from_errors {
    ($($error:ty),+ $(,)?) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::of(&error)
            }
        }
    )+};
}
from_errors!(
    store::StoreError,
    tenancy::TenancyError,
    lifecycle::LifecycleError,
    metering::MeteringError,
    tenancy::VaultError,
    platform::OpenError,
    platform::models::ModelError,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_where_and_what_to_do_stand_on_their_own_lines() {
        let failure = Failure::new("the port is taken; choose another one").at("127.0.0.1:3000");
        assert_eq!(
            failure.to_string(),
            "error: the port is taken\n  where: 127.0.0.1:3000\n  to do: choose another one\n"
        );
    }

    #[test]
    fn causes_join_the_sentence_before_its_remedy() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot write; free some space")]
        struct Outer(#[source] std::io::Error);
        let failure = Failure::of(&Outer(std::io::Error::other("no room")));
        assert_eq!(failure.to_string(), "error: cannot write: no room\n  to do: free some space\n");
    }
}
