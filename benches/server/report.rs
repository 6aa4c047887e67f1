//! The table for people and the file for programs.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::Sizes;
use crate::figures::Around;
use crate::store::EACH;

/// Everything that was measured.
pub struct Report {
    /// How much.
    pub sizes: Sizes,
    /// `fsync` of the PostgreSQL server.
    pub fsync: String,
    /// Times and rates.
    pub figures: Vec<Figure>,
    /// Resident memory.
    pub memory: Vec<Memory>,
}

/// One figure and its floor.
pub struct Figure {
    name: String,
    database: &'static str,
    around: Around,
    unit: &'static str,
    service: f64,
    floor: f64,
    aim: f64,
    less_is_better: bool,
}

/// Memory at one moment.
pub struct Memory {
    /// Which database is behind the service.
    pub database: &'static str,
    /// What has happened so far.
    pub moment: String,
    /// MiB now and at most so far.
    pub mib: Option<(f64, f64)>,
}

impl Figure {
    /// Milliseconds: at most twice those of the floor.
    pub fn time(name: String, at: (&'static str, Around), service: f64, floor: f64) -> Self {
        let (database, around) = at;
        let (unit, aim, less_is_better) = ("ms", 2.0, true);
        Self { name, database, around, unit, service, floor, aim, less_is_better }
    }

    /// A number in a second: at least half that of the floor.
    pub fn rate(name: String, at: (&'static str, Around), service: f64, floor: f64) -> Self {
        let (database, around) = at;
        let (unit, aim, less_is_better) = ("/s", 0.5, false);
        Self { name, database, around, unit, service, floor, aim, less_is_better }
    }

    fn ratio(&self) -> f64 {
        self.service / self.floor
    }

    fn is_met(&self) -> bool {
        if self.less_is_better { self.ratio() <= self.aim } else { self.ratio() >= self.aim }
    }

    fn aim(&self) -> String {
        format!("{} {}", if self.less_is_better { "≤" } else { "≥" }, self.aim)
    }
}

impl Report {
    /// Nothing yet.
    pub fn new(sizes: Sizes) -> Self {
        Self { sizes, fsync: String::new(), figures: Vec::new(), memory: Vec::new() }
    }

    /// The table.
    pub fn table(&self) -> String {
        let mut text = format!(
            "{:<34} {:<11} {:>6} {:>11} {:>11} {:>6}  {:<6}\n",
            "figure", "database", "others", "service", "floor", "ratio", "aim"
        );
        for figure in &self.figures {
            let others = if figure.around == Around::Others { self.sizes.others } else { 0 };
            let value = |value: f64| format!("{value:.1} {}", figure.unit);
            let missed = if figure.is_met() { "" } else { "missed" };
            let (service, floor) = (value(figure.service), value(figure.floor));
            let line = format!(
                "{:<34} {:<11} {others:>6} {service:>11} {floor:>11} {:>6.2}  {:<6} {missed}",
                figure.name,
                figure.database,
                figure.ratio(),
                figure.aim()
            );
            writeln!(text, "{}", line.trim_end()).unwrap();
        }
        writeln!(text, "\n{:<42} {:<11} {:>12} {:>12}", "memory", "database", "resident", "peak")
            .unwrap();
        for Memory { database, moment, mib } in &self.memory {
            let mib = |part: fn((f64, f64)) -> f64| {
                mib.map_or_else(|| "-".to_owned(), |mib| format!("{:.1} MiB", part(mib)))
            };
            let (now, most) = (mib(|mib| mib.0), mib(|mib| mib.1));
            writeln!(text, "{moment:<42} {database:<11} {now:>12} {most:>12}").unwrap();
        }
        write!(
            text,
            "\nmedians of {} rounds; service and floor in one process with the clients, no mails \
             sent;\nothers: accounts of {EACH} members beside the one measured; SQLite with \
             synchronous=full,\nPostgreSQL with fsync={}; memory is that of a process of its own",
            self.sizes.rounds, self.fsync
        )
        .unwrap();
        text
    }

    /// Writes everything as JSON.
    pub fn write(&self, path: &Path, seconds: u64) {
        let Sizes { rounds, members, pages, invitations, batches, others, sign_ins } = self.sizes;
        let all = json!({
            "sizes": {
                "rounds": rounds, "members": members, "pages": pages, "invitations": invitations,
                "batches": batches, "others": others, "sign_ins": sign_ins,
            },
            "postgres": { "fsync": self.fsync },
            "seconds": seconds,
            "figures": self.figures.iter().map(|figure| self.figure(figure)).collect::<Vec<_>>(),
            "memory": self.memory.iter().map(memory).collect::<Vec<_>>(),
        });
        std::fs::write(path, format!("{all:#}\n")).unwrap();
    }

    fn figure(&self, figure: &Figure) -> Value {
        json!({
            "figure": figure.name,
            "database": figure.database,
            "others": if figure.around == Around::Others { self.sizes.others } else { 0 },
            "unit": figure.unit,
            "service": figure.service,
            "floor": figure.floor,
            "ratio": figure.ratio(),
            "aim": figure.aim(),
            "met": figure.is_met(),
        })
    }
}

fn memory(memory: &Memory) -> Value {
    let Memory { database, moment, mib } = memory;
    let (resident, peak) = mib.unzip();
    json!({ "database": database, "moment": moment, "resident_mib": resident, "peak_mib": peak })
}

/// Seconds of the middle one.
pub fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}
