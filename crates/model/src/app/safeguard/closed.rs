//! Times at which nothing is deployed: a beginning, a length, and how often it comes again.
//!
//! What always holds: a [`ClosedTime`] ends before it comes again, so that there is time to deploy.
//! Times without an offset are in UTC; years and months are those of the calendar.

use std::str::FromStr;

use chrono::{DateTime, Days, Months, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

/// Why a text is no time, no length, or why they do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTime {
    #[error(
        "{0:?} is no time; write one like 2026-12-24, 2026-12-24T18:00 or 2026-12-24T18:00:00+01:00"
    )]
    Moment(String),
    #[error("{text:?} is no length of time; {hint}")]
    Span { text: String, hint: &'static str },
    #[error(
        "the interval {interval} is not longer than the duration {duration}, so nothing could be deployed ever after; write a longer interval"
    )]
    AlwaysClosed { duration: String, interval: String },
}

/// A point in time, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    text: String,
    at: DateTime<Utc>,
}

/// A length of time, as it was written (ISO 8601): `P1Y2M3DT4H5M6S` or `P2W`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    text: String,
    months: u32,
    days: u64,
    seconds: i64,
}

/// When nothing is deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct ClosedTime {
    time: Moment,
    duration: Span,
    interval: Option<Span>,
}

/// A closed time as it is stored and shown: the keys of the file.
#[derive(Serialize, Deserialize)]
struct Written {
    time: String,
    duration: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    interval: Option<String>,
}

impl From<ClosedTime> for Written {
    fn from(closed: ClosedTime) -> Self {
        Self {
            time: closed.time.text,
            duration: closed.duration.text,
            interval: closed.interval.map(|interval| interval.text),
        }
    }
}

impl TryFrom<Written> for ClosedTime {
    type Error = InvalidTime;

    fn try_from(written: Written) -> Result<Self, InvalidTime> {
        let interval = written.interval.map(|interval| interval.parse()).transpose()?;
        Self::new(written.time.parse()?, written.duration.parse()?, interval)
    }
}

impl ClosedTime {
    pub fn new(time: Moment, duration: Span, interval: Option<Span>) -> Result<Self, InvalidTime> {
        if let Some(interval) = &interval {
            let (end, next) = (duration.after(time.at, 1), interval.after(time.at, 1));
            if end.is_none_or(|end| next.is_some_and(|next| next <= end)) {
                return Err(InvalidTime::AlwaysClosed {
                    duration: duration.text,
                    interval: interval.text.clone(),
                });
            }
        }
        Ok(Self { time, duration, interval })
    }

    pub fn time(&self) -> &Moment {
        &self.time
    }

    pub fn duration(&self) -> &Span {
        &self.duration
    }

    pub fn interval(&self) -> Option<&Span> {
        self.interval.as_ref()
    }

    /// When the closed time that `now` lies in ends; `None` while it is open. An end beyond the
    /// calendar is its last day.
    pub fn closed_until(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.around(now).map(|(_, end)| end)
    }

    /// The closed time that `now` lies in: when it began, and when it ends.
    pub fn around(&self, now: DateTime<Utc>) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        if now < self.time.at {
            return None;
        }
        let begin = match &self.interval {
            None => self.time.at,
            Some(interval) => {
                interval.after(self.time.at, begun(self.time.at, interval, now)).unwrap_or(now)
            }
        };
        let end = self.duration.after(begin, 1).unwrap_or(DateTime::<Utc>::MAX_UTC);
        (now < end).then_some((begin, end))
    }

    /// The next moment after `now` at which a closed time begins or ends; `None`: never again.
    pub fn changes_after(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if now < self.time.at {
            return Some(self.time.at);
        }
        if let Some((_, end)) = self.around(now) {
            return Some(end);
        }
        let interval = self.interval.as_ref()?;
        interval.after(self.time.at, begun(self.time.at, interval, now).checked_add(1)?)
    }
}

/// The count of the latest of `first`, `first + interval`, `first + 2 * interval` … that is not
/// after `now`.
fn begun(first: DateTime<Utc>, interval: &Span, now: DateTime<Utc>) -> u32 {
    let begins_by_now =
        |count: u32| interval.after(first, count).filter(|begin| *begin <= now).is_some();
    let (mut known, mut beyond) = (0, 1);
    while begins_by_now(beyond) {
        known = beyond;
        match beyond.checked_mul(2) {
            Some(further) => beyond = further,
            None => break,
        }
    }
    while beyond - known > 1 {
        let middle = known + (beyond - known) / 2;
        if begins_by_now(middle) {
            known = middle;
        } else {
            beyond = middle;
        }
    }
    known
}

impl Moment {
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for Moment {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let written = text.trim().replacen(' ', "T", 1);
        let with_offset = || {
            ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z"]
                .iter()
                .find_map(|form| DateTime::parse_from_str(&written, form).ok())
                .map(|time| time.with_timezone(&Utc))
        };
        let plain = || {
            ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"]
                .iter()
                .find_map(|form| NaiveDateTime::parse_from_str(&written, form).ok())
                .map(|time| time.and_utc())
        };
        let date = || {
            let date = NaiveDate::parse_from_str(&written, "%Y-%m-%d").ok()?;
            Some(date.and_hms_opt(0, 0, 0)?.and_utc())
        };
        match with_offset().or_else(plain).or_else(date) {
            Some(at) => Ok(Self { text: text.to_owned(), at }),
            None => Err(InvalidTime::Moment(text.to_owned())),
        }
    }
}

impl Span {
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// `count` of these after `begin`; `None` beyond the calendar.
    fn after(&self, begin: DateTime<Utc>, count: u32) -> Option<DateTime<Utc>> {
        let days = self.days.checked_mul(count.into())?;
        let seconds = TimeDelta::try_seconds(self.seconds.checked_mul(count.into())?)?;
        begin
            .checked_add_months(Months::new(self.months.checked_mul(count)?))?
            .checked_add_days(Days::new(days))?
            .checked_add_signed(seconds)
    }
}

impl FromStr for Span {
    type Err = InvalidTime;

    fn from_str(text: &str) -> Result<Self, InvalidTime> {
        let invalid = |hint| InvalidTime::Span { text: text.to_owned(), hint };
        const FORM: &str = "write one like P3D, P1W, PT12H or P1Y";
        let mut rest = text.trim().strip_prefix('P').ok_or_else(|| invalid(FORM))?;
        let mut span = Self { text: text.to_owned(), months: 0, days: 0, seconds: 0 };
        let mut is_time = false;
        // the units that may still come; each once, and in this order
        let mut units = "YMWD";
        while !rest.is_empty() {
            if let Some(time) = rest.strip_prefix('T').filter(|_| !is_time) {
                (rest, is_time, units) = (time, true, "HMS");
                if rest.is_empty() {
                    return Err(invalid(FORM));
                }
                continue;
            }
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(|| invalid(FORM))?;
            // six digits: no sum below overflows
            let number: u32 = Some(&rest[..digits])
                .filter(|number| number.len() <= 6)
                .and_then(|number| number.parse().ok())
                .ok_or_else(|| invalid(FORM))?;
            let unit = rest[digits..].chars().next().unwrap_or_default();
            let Some(position) = units.find(unit) else {
                let is_late = !is_time && "HMS".contains(unit);
                return Err(invalid(if is_late {
                    "hours, minutes and seconds stand behind a T, as in P2DT30M"
                } else {
                    FORM
                }));
            };
            match (is_time, unit) {
                (false, 'Y') => span.months += number * 12,
                (false, 'M') => span.months += number,
                (false, 'W') => span.days += u64::from(number) * 7,
                (false, _) => span.days += u64::from(number),
                (true, 'H') => span.seconds += i64::from(number) * 3600,
                (true, 'M') => span.seconds += i64::from(number) * 60,
                (true, _) => span.seconds += i64::from(number),
            }
            units = &units[position + 1..];
            rest = &rest[digits + unit.len_utf8()..];
        }
        if span.months == 0 && span.days == 0 && span.seconds == 0 {
            return Err(invalid("it must be longer than nothing; write one like P3D or PT12H"));
        }
        Ok(span)
    }
}
