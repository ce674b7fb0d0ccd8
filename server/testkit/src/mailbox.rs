//! A relay that takes letters and keeps them: the outside world of the mail, over real SMTP.

use crate::Broken;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::{Instant, sleep},
};

/// How a relay behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relay {
    /// Takes every letter.
    Takes,
    /// Knows nobody.
    Refuses,
    /// Accepts connections and says nothing.
    Hangs,
}

/// A letter as it arrived.
#[derive(Debug, Clone)]
pub struct Arrived {
    pub from: String,
    pub to: Vec<String>,
    /// Head and body, as they came.
    pub raw: String,
}

impl Arrived {
    /// What is read: soft line breaks and the escaped “=” undone.
    pub fn text(&self) -> String {
        self.raw.replace("=\r\n", "").replace("=3D", "=")
    }

    /// The first link whose path begins so.
    pub fn link(&self, path: &str) -> Option<String> {
        let text = self.text();
        let at = text.find(path)?;
        let start = text.get(..at)?.rfind("http")?;
        let rest = text.get(start..)?;
        let end = rest.find(|char: char| char.is_whitespace() || char == '"' || char == '<').unwrap_or(rest.len());
        rest.get(..end).map(str::to_owned)
    }
}

/// Listens until it is dropped.
pub struct Mailbox {
    url: String,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    server: JoinHandle<()>,
}

impl Mailbox {
    pub async fn open(relay: Relay) -> Result<Self, Broken> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("smtp://{}", listener.local_addr()?);
        let arrived = Arc::<Mutex<Vec<Arrived>>>::default();
        let keep = Arc::clone(&arrived);
        let server = tokio::spawn(async move {
            // Ends with the test, whose runtime ends the conversations too.
            while let Ok((stream, _)) = listener.accept().await {
                let keep = Arc::clone(&keep);
                tokio::spawn(async move {
                    let _ = converse(stream, relay, &keep).await;
                });
            }
        });
        Ok(Self { url, arrived, server })
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    pub fn letters(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The letters, once there are as many; those there are after ten seconds otherwise.
    pub async fn wait_for(&self, count: usize) -> Vec<Arrived> {
        let until = Instant::now() + Duration::from_secs(10);
        while self.letters().len() < count && Instant::now() < until {
            sleep(Duration::from_millis(10)).await;
        }
        self.letters()
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn converse(stream: TcpStream, relay: Relay, keep: &Mutex<Vec<Arrived>>) -> Result<(), Broken> {
    if relay == Relay::Hangs {
        sleep(Duration::from_secs(60)).await;
        return Ok(());
    }
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader).lines();
    writer.write_all(b"220 sink.test ESMTP\r\n").await?;
    let mut letter = Arrived { from: String::new(), to: Vec::new(), raw: String::new() };
    while let Some(line) = lines.next_line().await? {
        let upper = line.to_ascii_uppercase();
        let answer = if upper.starts_with("EHLO") || upper.starts_with("HELO") {
            "250-sink.test\r\n250 8BITMIME\r\n"
        } else if upper.starts_with("MAIL FROM:") {
            letter = Arrived { from: line.clone(), to: Vec::new(), raw: String::new() };
            "250 ok\r\n"
        } else if upper.starts_with("RCPT TO:") && relay == Relay::Refuses {
            "550 no such person\r\n"
        } else if upper.starts_with("RCPT TO:") {
            letter.to.push(line.clone());
            "250 ok\r\n"
        } else if upper == "DATA" {
            writer.write_all(b"354 go on\r\n").await?;
            while let Some(line) = lines.next_line().await?.filter(|line| line != ".") {
                letter.raw.push_str(line.strip_prefix('.').unwrap_or(&line));
                letter.raw.push_str("\r\n");
            }
            keep.lock().unwrap_or_else(PoisonError::into_inner).push(letter.clone());
            "250 taken\r\n"
        } else if upper == "QUIT" {
            writer.write_all(b"221 bye\r\n").await?;
            return Ok(());
        } else {
            "250 ok\r\n"
        };
        writer.write_all(answer.as_bytes()).await?;
    }
    Ok(())
}
