//! The command line.

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
#[cfg(all(feature = "kiosk", feature = "central"))]
use hailong::domain::access::{Right, Role};
#[cfg(all(feature = "kiosk", feature = "central"))]
use hailong::domain::ids::{Login, OfficeCode, OfficialId};
use hailong::domain::period::Period;
use jiff::civil::Date;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::prelude::*;

mod commands;

#[cfg(all(feature = "kiosk", feature = "central"))]
use commands::decide::Decide;

/// Hài Lòng: a rating kiosk for the counters of one-stop shops, and its central service.
#[derive(Parser)]
#[command(name = "hailong", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    demo: Demo,
}

#[derive(Subcommand)]
enum Command {
    /// Live a day of an invented office on this machine (this is also what no command does).
    Demo(Demo),
    /// Run one counter's kiosk.
    Kiosk(Kiosk),
    /// Run the central service.
    Central(Central),
    /// Print an office's summary of a day or a period, or write it as a spreadsheet.
    Summary(Summary),
    /// Write journals and roots into an archive for an auditor.
    Export(Export),
    /// Check an archive: without trust in whoever made it, without server and network.
    Verify(Verify),
    /// Prove that the rating of a check code stands under a published root.
    Check(Check),
    /// Make ratings and tallies anew from the journals, compare them with what was counted, and
    /// set right what differs.
    Rebuild(Rebuild),
    /// Draw every screen of the kiosk, in every language and on every panel, into a folder.
    Screens(Screens),
    /// Set up offices and kiosks, and decide what a person has to.
    #[cfg(all(feature = "kiosk", feature = "central"))]
    #[command(subcommand)]
    Admin(Admin),
}

/// Options of the demo.
#[derive(Args, Clone)]
struct Demo {
    /// Where everything is kept.
    #[arg(long, value_name = "DIR", default_value = "hailong-data")]
    data: PathBuf,
    /// No window: draw the screens into DIR/screens, end the day, print its summary.
    #[arg(long)]
    once: bool,
    /// Visitors for each neighbour counter, people who walk off included.
    #[arg(long, value_name = "N", default_value_t = 40)]
    visitors: usize,
    /// What the invented visitors follow from.
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// The day to live; by default the first working day from today on that was not lived yet.
    #[arg(long, value_name = "YYYY-MM-DD")]
    date: Option<Date>,
    /// How many times faster than real the day goes until 16:30.
    #[arg(long, value_name = "X")]
    speed: Option<f64>,
    /// A private address of this machine, for phones in a hall: a trial without TLS.
    #[arg(long, value_name = "ADDR")]
    listen: Option<IpAddr>,
    /// A year of a whole province in place of a day of one office, in DIR/province: 104 offices and 800 kiosks, a
    /// million ratings. Takes minutes once, then serves its pages.
    #[arg(long, conflicts_with_all = ["visitors", "speed", "listen"])]
    province: bool,
}

/// Options of a kiosk.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
struct Kiosk {
    #[command(subcommand)]
    beside: Option<Beside>,
    /// Its configuration.
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    /// Enrol this kiosk first, under a one-time code of the central service.
    #[arg(long, value_name = "CODE")]
    enrol: Option<String>,
    /// A kiosk that is enrolled already, with a new key in the place of its own; whoever has the old
    /// one can send nothing more.
    #[arg(long, requires = "enrol")]
    new_key: bool,
    /// What the kiosk starts itself as: the screen of its guardian's, whose line is stdin.
    #[arg(long, hide = true)]
    guarded: bool,
    /// The page while no screen works, likewise.
    #[arg(long, hide = true, conflicts_with = "guarded")]
    paused: bool,
}

/// What is done beside running a kiosk.
#[derive(Subcommand)]
enum Beside {
    /// For counters without network: write what the central service does not have into a folder on
    /// a USB stick, and take the receipts that came back there. The kiosk may run meanwhile.
    Export(KioskExport),
    /// List what can be recorded for whoever cannot read the screen: each file, and what to say in it.
    Voices(KioskVoices),
}

/// Options of the list of voices.
#[derive(Args)]
struct KioskVoices {
    /// The kiosk's configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// The form whose question is asked.
    #[arg(long, value_name = "FILE")]
    form: PathBuf,
}

/// Options of a kiosk's export.
#[derive(Args)]
struct KioskExport {
    /// The kiosk's configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// A folder on the stick.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

/// Options of the central service.
#[derive(Args)]
struct Central {
    /// Its configuration.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Write the keys into this new file first, on a medium that is kept apart: needed once.
    #[arg(long, value_name = "FILE")]
    backup: Option<PathBuf>,
}

/// Options of the summary.
#[derive(Args)]
struct Summary {
    /// A day (2026-11-24), week (2026-W48), month (2026-11), quarter (2026-Q4), year (2026), or any days
    /// (2026-11-01..2026-11-15); by default the latest day in the store.
    #[arg(long, value_name = "PERIOD")]
    date: Option<Period>,
    /// The office's code; by default the only one.
    #[arg(long, value_name = "CODE")]
    office: Option<String>,
    /// All offices beside each other.
    #[arg(long, conflicts_with = "office")]
    all: bool,
    /// A table to read, JSON as published, CSV or XLSX with the same figures.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write it into this file, which must not be there yet; an XLSX needs one.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// The table's language, such as en; by default that of rest.
    #[arg(long, value_name = "CODE")]
    lang: Option<String>,
    #[command(flatten)]
    place: Place,
}

/// Options of the export.
#[derive(Args)]
struct Export {
    /// The first day; by default the first of all. Figures are only checked in archives that begin
    /// there.
    #[arg(long, value_name = "YYYY-MM-DD")]
    from: Option<Date>,
    /// The last day; by default the last of all.
    #[arg(long, value_name = "YYYY-MM-DD")]
    to: Option<Date>,
    /// With what was answered: for an auditor's eyes alone.
    #[arg(long)]
    opened: bool,
    /// The archive to write; it must not be there yet.
    #[arg(long, value_name = "ARCHIVE")]
    out: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// Options of the verification.
#[derive(Args)]
struct Verify {
    /// The archive.
    #[arg(value_name = "ARCHIVE")]
    archive: PathBuf,
    /// The anchor of a root as it was published or written down: 64 hex digits.
    #[arg(long, value_name = "ROOT")]
    anchor: Option<String>,
}

/// Options of the check.
#[derive(Args)]
struct Check {
    /// The check code, such as 3-9KQ2-A0VX-7M4D.
    #[arg(value_name = "CODE")]
    code: String,
    /// The address of the central service for citizens.
    #[arg(long, value_name = "URL")]
    server: String,
    /// The certificate of the office's own authority, to trust that service by.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The anchor of that day's root as it was published or written down.
    #[arg(long, value_name = "ROOT")]
    anchor: Option<String>,
}

/// Options of the rebuild.
#[derive(Args)]
struct Rebuild {
    #[command(flatten)]
    place: Place,
}

/// The service or folder that is asked.
#[derive(Args)]
struct Place {
    /// Ask a running service at the address at which staff sign in, such as http://127.0.0.1:8081, as
    /// whoever made the token.
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    server: Option<String>,
    /// The certificate of the office's own authority, to trust that service by.
    #[arg(long, value_name = "FILE", requires = "server")]
    ca: Option<PathBuf>,
    /// The file that holds the token to ask with.
    #[arg(long, value_name = "FILE", requires = "server")]
    token: Option<PathBuf>,
    /// The data folder of a central service that is not running.
    #[arg(long, value_name = "DIR", default_value = "hailong-data")]
    data: PathBuf,
}

/// Options of the pictures.
#[derive(Args)]
struct Screens {
    /// Where the PNG files go.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// The central service's configuration that names office, forms and texts; by default the
    /// sample office's.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Only screens whose name has these words in it, such as `reasons` or `vi-portrait`.
    #[arg(long, value_name = "WORDS", default_value = "")]
    only: String,
    /// What the central service asks to be drawn: a form, on one panel.
    #[arg(long, value_name = "FILE", hide = true, conflicts_with_all = ["config", "only"])]
    of: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Json,
    Csv,
    Xlsx,
}

/// What is done with the directory.
#[cfg(all(feature = "kiosk", feature = "central"))]
#[derive(Subcommand)]
enum DirectoryCommand {
    /// Take lists in from XLSX or CSV files, all of their lines or none; a sheet, or a CSV file, is called offices,
    /// counters, officials, roster, hours or calendar, in English or Vietnamese. Best begin with what `export`
    /// writes. Roster, hours and calendar of an office take the place of those before.
    Import {
        /// The files.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// Only say, line by line, what would change and what is wrong.
        #[arg(long)]
        dry_run: bool,
        /// The office of rows that name none.
        #[arg(long, value_name = "CODE")]
        office: Option<String>,
        /// From which day on they hold, today or one to come.
        #[arg(long, value_name = "YYYY-MM-DD")]
        from: Option<Date>,
        #[command(flatten)]
        service: Service,
    },
    /// Write the directory into a new XLSX file that `import` takes.
    Export {
        /// The file to write; it must not be there yet.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        service: Service,
    },
}

/// A running service that is asked as somebody, and the language of what it answers.
#[cfg(all(feature = "kiosk", feature = "central"))]
#[derive(Args)]
struct Service {
    /// The address at which staff sign in, such as http://127.0.0.1:8081.
    #[arg(long, value_name = "URL")]
    server: String,
    /// The certificate of the office's own authority, to trust that service by.
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The file that holds a token with the right `directory`.
    #[arg(long, value_name = "FILE")]
    token: Option<PathBuf>,
    /// The language, such as en; by default that of rest.
    #[arg(long, value_name = "CODE")]
    lang: Option<String>,
}

#[cfg(all(feature = "kiosk", feature = "central"))]
#[derive(Subcommand)]
enum Admin {
    /// Ask a running service for a one-time code that enrols one kiosk within 15 minutes.
    EnrolCode {
        /// The address at which staff sign in, such as http://127.0.0.1:8081.
        #[arg(long, value_name = "URL")]
        server: String,
        /// The certificate of the office's own authority, to trust that service by.
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
        /// The file that holds a token with the right `enrol`.
        #[arg(long, value_name = "FILE")]
        token: Option<PathBuf>,
        /// The office's code.
        #[arg(long, value_name = "CODE")]
        office: String,
        /// The code of the counter it will stand at, or of all that a kiosk of a hall serves:
        /// q1,q2,q3.
        #[arg(long, value_name = "CODES")]
        counter: String,
        /// The kiosk's name to be, such as ps-q3.
        #[arg(long, value_name = "NAME")]
        kiosk: String,
        /// Draw it as a QR code with the address beside it: all that a kiosk asks for at its first
        /// start, for its scanner.
        #[arg(long)]
        qr: bool,
    },
    /// Accounts of a central service that is not running; while it runs, administrators manage them on its
    /// page.
    #[command(subcommand)]
    User(User),
    /// Offices, counters, officials, rosters, hours and calendars of a running service.
    #[command(subcommand)]
    Directory(DirectoryCommand),
    /// Make a token for programs under an account of a central service that is not running; while it runs,
    /// everybody makes their own on its page.
    Token(Token),
    /// Draw a code for an official, with which they say at a kiosk that they are at the counter, or for
    /// a technician, who opens its page for maintenance; it takes the place of the one before. Printed
    /// once: only its hash is kept, in staff-codes.csv of the office's folder.
    StaffCode {
        /// The central service's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// The office's code.
        #[arg(long, value_name = "CODE")]
        office: String,
        /// The official's code of officials.csv, or technician.
        #[arg(long, value_name = "CODE")]
        who: String,
        /// Write a badge for a scanner, a QR code with the code in it, into this SVG file.
        #[arg(long, value_name = "FILE")]
        badge: Option<PathBuf>,
    },
    /// Draw new keys for opening answers, receipts and roots; the old ones are kept for what was
    /// begun under them. Kiosks have the new ones once they are enrolled again.
    RenewKeys {
        /// The data folder of a central service that is not running.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Write all keys into this new file first, on a medium that is kept apart.
        #[arg(long, value_name = "FILE")]
        backup: PathBuf,
        /// Who decides: name and office.
        #[arg(long, value_name = "NAME")]
        person: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
    /// List what a person should look at: kiosks, missing lines, findings.
    Matters {
        #[command(flatten)]
        place: Place,
        /// Also what was settled, and all decisions.
        #[arg(long)]
        all: bool,
    },
    /// List all kiosks and how they said they are: when they were heard last, what waits there, disk,
    /// clock, trouble. Those that were not heard for a quarter of an hour are marked.
    Kiosks {
        #[command(flatten)]
        place: Place,
        /// The table's language, such as en; by default that of rest.
        #[arg(long, value_name = "CODE")]
        lang: Option<String>,
    },
    /// Decide something, as a line of the central service's own series.
    Decide {
        #[command(flatten)]
        place: Place,
        /// Who decides: name and office.
        #[arg(long, value_name = "NAME")]
        person: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(subcommand)]
        what: Decide,
    },
    /// Tell a kiosk on this machine that somebody's service is over, as a queue system would.
    QueueCall {
        /// The kiosk's configuration, with `calls.listen` in it.
        #[arg(long, value_name = "FILE", default_value = "kiosk.toml")]
        config: PathBuf,
        /// The counter's code.
        #[arg(long, value_name = "CODE")]
        counter: String,
        /// As the official's invitation instead.
        #[arg(long)]
        invite: bool,
        /// The certificate of the office's own authority, to trust the door by, beside the one that
        /// `ca` in the configuration names.
        #[arg(long, value_name = "FILE")]
        ca: Option<PathBuf>,
    },
    /// Hand the batches that came on a USB stick to the central service, and write the receipts
    /// beside them.
    Import {
        /// The folder on the stick that `hailong kiosk export` was told.
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
        #[command(flatten)]
        place: Place,
    },
}

/// What is done with accounts.
#[cfg(all(feature = "kiosk", feature = "central"))]
#[derive(Subcommand)]
enum User {
    /// Add one; prints the link under which its holder sets a password, once and within 3 days.
    Add {
        /// The data folder.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// What its holder types to sign in: a-z, 0-9, - and _.
        #[arg(long, value_name = "NAME")]
        login: Login,
        /// Its holder's full name.
        #[arg(long, value_name = "NAME")]
        name: String,
        /// administrator, supervisor, auditor, reader or official.
        #[arg(long, value_name = "ROLE")]
        role: Role,
        /// The office that it is for; by default the whole province.
        #[arg(long, value_name = "CODE")]
        office: Option<OfficeCode>,
        /// Which official of the office it is.
        #[arg(long, value_name = "CODE", requires = "office")]
        official: Option<OfficialId>,
    },
    /// Print a new link to set a password, for whoever forgot theirs.
    Link {
        /// The data folder.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Whose.
        #[arg(long, value_name = "NAME")]
        login: Login,
    },
    /// Close one: nobody signs in under it any more, and its tokens end.
    Close {
        /// The data folder.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
        /// Whose.
        #[arg(long, value_name = "NAME")]
        login: Login,
    },
    /// List all.
    List {
        /// The data folder.
        #[arg(long, value_name = "DIR")]
        data: PathBuf,
    },
}

/// Options of a token.
#[cfg(all(feature = "kiosk", feature = "central"))]
#[derive(Args)]
struct Token {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Whose.
    #[arg(long, value_name = "NAME")]
    login: Login,
    /// What it is called.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// What may be done with it: figures, fleet, matters, enrol, decide, by_hand, rebuild, archive,
    /// reports, own_figures, with commas.
    #[arg(long, value_name = "RIGHTS", value_delimiter = ',', required = true)]
    rights: Vec<Right>,
    /// For how many days, at most 366.
    #[arg(long, value_name = "N", default_value_t = 90)]
    days: i32,
}

/// What is logged: errors of others and warnings of ours, or what `HAILONG_LOG` names, such as
/// `hailong=debug,warn`.
fn wanted() -> Targets {
    let named = std::env::var("HAILONG_LOG").ok().and_then(|named| named.parse().ok());
    let ours = || Targets::new().with_default(Level::ERROR).with_target("hailong", Level::WARN);
    named.unwrap_or_else(ours)
}

/// Whoever reads what is printed may have seen enough (`hailong summary | head`): that is no failure.
fn end_quietly_without_a_reader() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let said = info.payload_as_str().unwrap_or_default();
        if said.starts_with("failed printing to stdout") && said.contains("Broken pipe") {
            std::process::exit(0);
        }
        usual(info);
    }));
}

fn main() -> ExitCode {
    end_quietly_without_a_reader();
    let log = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    tracing_subscriber::registry().with(log.with_filter(wanted())).init();
    let cli = Cli::parse();
    let done = match cli.command {
        None => commands::demo(&cli.demo),
        Some(Command::Demo(demo)) => commands::demo(&demo),
        Some(Command::Kiosk(kiosk)) => commands::kiosk(&kiosk),
        Some(Command::Central(central)) => commands::central(&central),
        Some(Command::Summary(summary)) => commands::summary(&summary),
        Some(Command::Export(export)) => commands::export(&export),
        Some(Command::Verify(verify)) => commands::verify(&verify),
        Some(Command::Check(check)) => commands::check(&check),
        Some(Command::Rebuild(rebuild)) => commands::rebuild(&rebuild),
        Some(Command::Screens(screens)) => commands::screens(&screens),
        #[cfg(all(feature = "kiosk", feature = "central"))]
        Some(Command::Admin(admin)) => commands::admin(admin),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("hailong: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}
