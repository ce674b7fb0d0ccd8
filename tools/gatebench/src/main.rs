//! `gatebench`: what the gateway costs, as the distance between asking a provider directly and asking it through Seam.
//!
//! Provider, load and Seam share the machine's processors, and both ways are measured in turns of one run, so that what
//! counts is the difference or the ratio. Seam is the real binary on SQLite, with keys, routing and ledger on.
//! docs/performance.md says how to read it. Usage: gatebench target/dist/seam [one] [words] [saturated] [streams] [flood]
//! (default: all; one alone is what a profiler wants).

mod load;
mod seam;
mod table;
mod upstream;

use anyhow::{Context, Result};
use load::{Load, Way, percentile};
use seam::Seam;
use std::{process::ExitCode, time::Duration};
use table::Table;
use upstream::Upstream;

/// Requests of each way in each of so many turns.
const ONE_BY_ONE: usize = 400;
const TURNS: usize = 5;
const AT_ONCE: usize = 64;
const SATURATED: Duration = Duration::from_secs(3);
const STREAMS: usize = 512;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the benchmark broke off: {error:#}");
            ExitCode::from(2)
        }
    }
}

#[tokio::main]
async fn run() -> Result<bool> {
    let binary = std::env::args().nth(1).context("which binary? gatebench target/dist/seam")?;
    let upstream = Upstream::start().await?;
    let seam = Seam::start(&binary, &upstream).await?;
    let direct = Load::new(Way::Direct, &upstream.url, "sk-upstream")?;
    let through = Load::new(Way::Through, &seam.url, &seam.key)?;
    let mut table = Table::default();

    let parts: Vec<String> = std::env::args().skip(2).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|named| named == part);
    if wanted("one") {
        one_by_one(&direct, &through, &mut table).await?;
    }
    if wanted("words") {
        first_words(&direct, &through, &mut table).await?;
    }
    if wanted("saturated") {
        saturated(&direct, &through, &mut table).await?;
    }
    if wanted("streams") {
        many_streams(&direct, &through, &mut table).await?;
    }
    if wanted("flood") {
        flooded(&seam, &through, &mut table).await?;
    }
    let resident = seam.resident_mb()?;
    table.row("resident memory after all of it, MB", &[f64::from(resident)], Some(resident <= 64), "≤ 64");
    table.print();
    Ok(table.met())
}

/// Both ways in turns, so that what the machine does meanwhile meets both.
async fn one_by_one(direct: &Load, through: &Load, table: &mut Table) -> Result<()> {
    let (mut plain, mut gated) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        plain.extend(direct.whole_answers(ONE_BY_ONE).await?);
        gated.extend(through.whole_answers(ONE_BY_ONE).await?);
    }
    let added = |share| (percentile(&mut gated.clone(), share) - percentile(&mut plain.clone(), share)) * 1e3;
    let (middle, high) = (added(0.5), added(0.99));
    let direct = percentile(&mut plain.clone(), 0.5) * 1e3;
    table.row(
        "whole answer, one at a time: direct p50, added p50, added p99, ms",
        &[direct, middle, high],
        Some(high <= 0.2),
        "p99 ≤ 0.2",
    );
    Ok(())
}

async fn first_words(direct: &Load, through: &Load, table: &mut Table) -> Result<()> {
    let (mut plain, mut gated) = (Vec::new(), Vec::new());
    for _ in 0..TURNS {
        plain.extend(direct.first_words(ONE_BY_ONE / 4).await?);
        gated.extend(through.first_words(ONE_BY_ONE / 4).await?);
    }
    let added = |share| (percentile(&mut gated.clone(), share) - percentile(&mut plain.clone(), share)) * 1e3;
    let (middle, high) = (added(0.5), added(0.99));
    table.row("first words of a stream: added p50, added p99, ms", &[middle, high], Some(middle <= 0.2), "p50 ≤ 0.2");
    Ok(())
}

async fn saturated(direct: &Load, through: &Load, table: &mut Table) -> Result<()> {
    let mut ratios = Vec::new();
    let (mut plain, mut gated) = (0.0, 0.0);
    for _ in 0..3 {
        plain = direct.a_second(AT_ONCE, SATURATED).await?;
        gated = through.a_second(AT_ONCE, SATURATED).await?;
        ratios.push(gated / plain);
    }
    let ratio = percentile(&mut ratios, 0.5);
    table.row(
        "requests a second at saturation: direct, through, ratio",
        &[plain, gated, ratio],
        Some(ratio >= 0.3),
        "≥ 0.30",
    );
    Ok(())
}

/// Twenty tokens a second each: what is longer than the pace between two of them is a stall.
async fn many_streams(direct: &Load, through: &Load, table: &mut Table) -> Result<()> {
    let plain = direct.longest_gap(STREAMS).await? * 1e3;
    let gated = through.longest_gap(STREAMS).await? * 1e3;
    table.row(
        "longest gap in 512 streams of a token each 50 ms: direct, through, ms",
        &[plain, gated],
        Some(gated <= 150.0),
        "≤ 150",
    );
    Ok(())
}

/// Many with a key that opens nothing, beside one who works.
async fn flooded(seam: &Seam, through: &Load, table: &mut Table) -> Result<()> {
    let strangers = Load::new(Way::Through, &seam.url, "sk-seam-0123456789abcdefghijklmnopqrstuvwxyz")?;
    let mut slower = Vec::new();
    let mut refused = 0;
    for _ in 0..3 {
        let mut alone = through.whole_answers(ONE_BY_ONE).await?;
        let flood = strangers.flood(8);
        let mut beside = through.whole_answers(ONE_BY_ONE).await?;
        refused += flood.stop().await;
        slower.push(percentile(&mut beside, 0.5) / percentile(&mut alone, 0.5));
    }
    let ratio = percentile(&mut slower, 0.5);
    let note = format!("≤ 1.10, beside {refused} refusals that share its processors");
    table.row("valid traffic beside a flood of wrong keys, p50 ratio", &[ratio], Some(ratio <= 1.1), &note);
    Ok(())
}
