//! Looking for a text in everything that an installation keeps: every byte of every file, every row of every table.

use crate::{Broken, Scratch};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, postgres::PgConnectOptions};
use std::path::PathBuf;

const TABLES: &str = "
SELECT schemaname::text, tablename::text FROM pg_tables WHERE schemaname IN ('control', 'tenant') ORDER BY 1, 2";

impl Scratch {
    /// The files and tables that hold this text, as far as the engine keeps data there. On PostgreSQL the login must be
    /// one that row level security does not bind.
    pub async fn mentions(&self, text: &str) -> Result<Vec<String>, Broken> {
        let mut found = self.files_that_mention(text)?;
        if let Some(url) = self.url() {
            let mut connection = url.parse::<PgConnectOptions>()?.connect().await?;
            for row in sqlx::query(TABLES).fetch_all(&mut connection).await? {
                let table = format!("{}.{}", row.try_get::<String, _>(0)?, row.try_get::<String, _>(1)?);
                let search = format!("SELECT COUNT(*) FROM {table} AS looked_at WHERE strpos(looked_at::text, $1) > 0");
                let count: i64 =
                    sqlx::query_scalar(AssertSqlSafe(search)).bind(text).fetch_one(&mut connection).await?;
                if count > 0 {
                    found.push(table);
                }
            }
            connection.close().await?;
        }
        Ok(found)
    }

    fn files_that_mention(&self, text: &str) -> Result<Vec<String>, Broken> {
        let (mut found, mut open): (Vec<String>, Vec<PathBuf>) = (Vec::new(), vec![self.dir().to_owned()]);
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(directory)? {
                let path = entry?.path();
                if path.is_dir() {
                    open.push(path);
                } else if std::fs::read(&path)?.windows(text.len()).any(|window| window == text.as_bytes()) {
                    found.push(path.display().to_string());
                }
            }
        }
        found.sort();
        Ok(found)
    }
}
