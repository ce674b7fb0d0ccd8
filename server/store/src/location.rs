//! Where the data lives: files under a directory, or one PostgreSQL database. Parsed once, at the start.
//!
//! What always holds: neither form shows the password, whether displayed or debugged.

use sqlx::postgres::PgConnectOptions;
use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Where both planes live.
#[derive(Clone)]
pub struct Location(pub(crate) Place);

#[derive(Clone)]
pub(crate) enum Place {
    /// SQLite: `control.db` and `tenants/<id>.db` under this directory.
    Files(PathBuf),
    /// PostgreSQL: the schemas `control` and `tenant`. The connecting role owns them.
    Postgres(Box<PgConnectOptions>),
}

/// Why a database URL cannot be used. The setting that it stands in is named by whoever reads settings.
#[derive(Debug, thiserror::Error)]
pub enum LocationError {
    #[error(
        "Seam knows no database of this kind; use postgres://user@host/database, or leave SEAM_DATABASE_URL out for \
         SQLite under the data directory"
    )]
    UnknownKind,
    #[error("the URL names no database; put its name at the end, such as postgres://user@host/seam")]
    NoDatabase,
    /// The reason never repeats the URL: it may hold a password.
    #[error("this is no URL of a PostgreSQL database ({reason}); write it as postgres://user:password@host:5432/seam")]
    Malformed { reason: String },
}

impl Location {
    /// SQLite under a data directory.
    pub fn files(data_dir: impl Into<PathBuf>) -> Self {
        Self(Place::Files(data_dir.into()))
    }

    /// What `SEAM_DATABASE_URL` says. None and `sqlite:` are SQLite under the data directory.
    pub fn parse(url: Option<&str>, data_dir: &Path) -> Result<Self, LocationError> {
        let url = match url {
            None | Some("sqlite:") => return Ok(Self::files(data_dir)),
            Some(url) => url,
        };
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(LocationError::UnknownKind);
        }
        let options = PgConnectOptions::from_str(url).map_err(|error| LocationError::Malformed {
            reason: if let sqlx::Error::Configuration(reason) = error { reason.to_string() } else { error.to_string() },
        })?;
        if options.get_database().is_none_or(str::is_empty) {
            return Err(LocationError::NoDatabase);
        }
        Ok(Self(Place::Postgres(Box::new(options))))
    }

    /// Whether several processes, on several machines, may serve from it.
    pub const fn is_shared(&self) -> bool {
        match &self.0 {
            Place::Files(_) => false,
            Place::Postgres(_) => true,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Files(directory) => directory.display().fmt(f),
            Place::Postgres(options) => {
                let database = options.get_database().unwrap_or_default();
                let host = match options.get_socket() {
                    Some(socket) => socket.display().to_string(),
                    None => options.get_host().to_owned(),
                };
                write!(f, "postgres://{}@{host}:{}/{database}", options.get_username(), options.get_port())
            }
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Location, LocationError> {
        Location::parse(Some(url), Path::new("data"))
    }

    #[test]
    fn without_a_url_the_data_is_in_files() {
        let plain = Location::parse(None, Path::new("data")).unwrap();
        assert_eq!((plain.to_string().as_str(), plain.is_shared()), ("data", false));
        assert_eq!(parse("sqlite:").unwrap().to_string(), "data");
    }

    #[test]
    fn a_password_is_never_shown() {
        let location = parse("postgres://ada:hunter2@db.test:5433/seam?sslmode=require").unwrap();
        assert_eq!(location.to_string(), "postgres://ada@db.test:5433/seam");
        assert!(!format!("{location:?}").contains("hunter2"));
        for wrong in ["postgres://ada:hunter2@db.test:x/seam", "postgres://ada:hunter2@db.test/seam?sslmode=maybe"] {
            let refused = parse(wrong).unwrap_err();
            assert!(!format!("{refused} {refused:?}").contains("hunter2"), "{refused}");
        }
    }

    #[test]
    fn a_refusal_says_what_to_write_instead() {
        for (url, expected) in [
            ("mysql://db.test/seam", "leave SEAM_DATABASE_URL out"),
            ("postgres://ada@db.test", "put its name at the end"),
            ("postgres://ada@db.test:port/seam", "write it as postgres://"),
        ] {
            let refused = parse(url).unwrap_err().to_string();
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
