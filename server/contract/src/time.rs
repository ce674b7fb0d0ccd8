//! Points in time, as milliseconds since the Unix epoch, UTC, and the days that they lie in.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// A point in time with millisecond resolution. Formatting belongs to whoever shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// This moment moved by `millis`, which may be negative; saturates at the ends of time.
    pub const fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this moment; negative when `earlier` is later.
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A day of UTC, from year 0 to 9999, as `2026-12-31`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    /// Since 1970-01-01.
    number: i64,
}

/// The text is no day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("choose a day that exists, written like 2026-12-31")]
pub struct NoDay;

impl Day {
    pub const MILLIS: i64 = 86_400_000;

    pub const fn of(time: Timestamp) -> Self {
        Self { number: time.0.div_euclid(Self::MILLIS) }
    }

    /// Its last moment.
    pub const fn end(self) -> Timestamp {
        Timestamp::from_millis((self.number + 1) * Self::MILLIS - 1)
    }

    /// Year, month and day (<https://howardhinnant.github.io/date_algorithms.html#civil_from_days>).
    const fn civil(self) -> (i64, i64, i64) {
        let days = self.number.saturating_add(719_468);
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        (year_of_era + era * 400 + (month <= 2) as i64, month, day)
    }

    /// The same way back; a day that is not in its month becomes another (`#days_from_civil` there).
    const fn from_civil(year: i64, month: i64, day: i64) -> Self {
        let year = if month <= 2 { year - 1 } else { year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let shifted_month = (month + 9) % 12;
        let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        Self { number: era * 146_097 + day_of_era - 719_468 }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

impl FromStr for Day {
    type Err = NoDay;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |digits: &str, length: usize| -> Result<i64, NoDay> {
            let sound = digits.len() == length && digits.bytes().all(|byte| byte.is_ascii_digit());
            if sound { digits.parse().map_err(|_| NoDay) } else { Err(NoDay) }
        };
        let mut parts = text.trim().split('-');
        let (Some(year), Some(month), Some(day), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(NoDay);
        };
        let asked = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
        let found = Self::from_civil(asked.0, asked.1, asked.2);
        // The 30th of February is another day's name for the 2nd of March.
        if found.civil() == asked { Ok(found) } else { Err(NoDay) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_as_they_are_written() {
        for text in ["1970-01-01", "2024-02-29", "2026-12-31", "0000-03-01", "9999-12-31", "1969-12-31"] {
            assert_eq!(text.parse::<Day>().unwrap().to_string(), text);
        }
        assert_eq!("1970-01-02".parse::<Day>().unwrap().end(), Timestamp::from_millis(2 * Day::MILLIS - 1));
        assert_eq!(Day::of(Timestamp::from_millis(-1)).to_string(), "1969-12-31");
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for text in [
            "",
            "soon",
            "2026-02-30",
            "2025-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-1-1",
            "31.12.2026",
            "2026-12-31-1",
        ] {
            assert_eq!(text.parse::<Day>(), Err(NoDay), "{text}");
        }
    }
}
