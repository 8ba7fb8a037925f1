//! What each command does, and which exit code each failure has: 1 internal, 2 usage,
//! 3 configuration, 4 unreachable, 5 a promise is broken.

#[cfg(all(feature = "kiosk", feature = "central"))]
use super::Admin;
use super::{Central, Check, Demo, Export, Kiosk, Rebuild, Screens, Summary, Verify};

#[cfg(feature = "kiosk")]
mod by_hand;
#[cfg(all(feature = "kiosk", feature = "central"))]
mod call;
#[cfg(all(feature = "kiosk", feature = "central"))]
pub mod decide;
#[cfg(all(feature = "kiosk", feature = "central"))]
mod directory;
#[cfg(all(feature = "kiosk", feature = "central"))]
mod people;
#[cfg(feature = "central")]
mod staff;
#[cfg(all(feature = "kiosk", feature = "central"))]
mod staff_code;

/// Why a command ended early.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// What to tell.
    pub message: String,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl Failure {
    fn new(code: u8, message: impl std::fmt::Display) -> Self {
        Self { code, message: message.to_string() }
    }
}

/// Exit codes; a build without some feature uses its part of them.
#[allow(dead_code)]
mod code {
    pub const INTERNAL: u8 = 1;
    pub const USAGE: u8 = 2;
    pub const CONFIGURATION: u8 = 3;
    pub const UNREACHABLE: u8 = 4;
    pub const BROKEN: u8 = 5;
}
#[allow(unused_imports)]
use code::{BROKEN, CONFIGURATION, INTERNAL, UNREACHABLE, USAGE};

#[allow(dead_code)] // Only builds without some feature need it.
fn not_in_this_build(feature: &str) -> Failure {
    Failure::new(USAGE, format!("this build was made without the feature {feature}"))
}

pub fn demo(demo: &Demo) -> Result<(), Failure> {
    if demo.province { province(demo) } else { day(demo) }
}

#[cfg(not(feature = "central"))]
fn province(_: &Demo) -> Result<(), Failure> {
    Err(not_in_this_build("central"))
}

#[cfg(feature = "central")]
fn province(demo: &Demo) -> Result<(), Failure> {
    use hailong::central::service::ServiceError;
    use hailong::demo::folder::FolderError;
    use hailong::demo::province::{Options, ProvinceError, run};
    let options =
        Options { data: demo.data.clone(), once: demo.once, seed: demo.seed, date: demo.date };
    run(&options).map_err(|error| {
        let code = match &error {
            ProvinceError::Config(_) => CONFIGURATION,
            ProvinceError::Folder(FolderError::Usage(_))
            | ProvinceError::Service(ServiceError::InUse(_)) => USAGE,
            ProvinceError::Broken(_) => BROKEN,
            _ => INTERNAL,
        };
        Failure::new(code, error)
    })
}

#[cfg(not(all(feature = "kiosk", feature = "central")))]
fn day(_: &Demo) -> Result<(), Failure> {
    Err(not_in_this_build("kiosk or central"))
}

#[cfg(all(feature = "kiosk", feature = "central"))]
fn day(demo: &Demo) -> Result<(), Failure> {
    use hailong::demo::day::{Options, run};
    let options = Options {
        data: demo.data.clone(),
        once: demo.once,
        visitors: demo.visitors,
        seed: demo.seed,
        date: demo.date,
        speed: demo.speed,
        listen: demo.listen,
    };
    run(&options).map_err(of_demo)
}

#[cfg(all(feature = "kiosk", feature = "central"))]
fn of_demo(error: hailong::demo::day::DemoError) -> Failure {
    use hailong::central::service::ServiceError;
    use hailong::demo::day::DemoError;
    use hailong::demo::folder::FolderError;
    let code = match &error {
        DemoError::Config(_) | DemoError::Summary(_) => CONFIGURATION,
        DemoError::Usage(_)
        | DemoError::Folder(FolderError::Usage(_))
        | DemoError::Service(ServiceError::InUse(_)) => USAGE,
        DemoError::Unreachable(_) => UNREACHABLE,
        DemoError::Broken(_) => BROKEN,
        _ => INTERNAL,
    };
    Failure::new(code, error)
}

#[cfg(not(all(feature = "kiosk", feature = "central")))]
pub fn screens(_: &Screens) -> Result<(), Failure> {
    Err(not_in_this_build("kiosk or central"))
}

#[cfg(all(feature = "kiosk", feature = "central"))]
pub fn screens(asked: &Screens) -> Result<(), Failure> {
    if let Some(subject) = &asked.of {
        return hailong::demo::gallery::write_form(&asked.folder, subject)
            .map(drop)
            .map_err(of_demo);
    }
    let config = asked.config.as_deref();
    let written =
        hailong::demo::gallery::write(&asked.folder, config, &asked.only).map_err(of_demo)?;
    println!("{written} screens and contact-sheet.png in {}", asked.folder.display());
    Ok(())
}

#[cfg(not(feature = "kiosk"))]
pub fn kiosk(_: &Kiosk) -> Result<(), Failure> {
    Err(not_in_this_build("kiosk"))
}

#[cfg(feature = "kiosk")]
pub fn kiosk(kiosk: &Kiosk) -> Result<(), Failure> {
    use hailong::kiosk::lifeline::Lifeline;
    use hailong::kiosk::paused;
    use hailong::kiosk::run::has_display;

    use super::Beside;
    match &kiosk.beside {
        Some(Beside::Export(export)) => return by_hand::export(export),
        Some(Beside::Voices(voices)) => return list_voices(voices),
        None => {}
    }
    // Without a subcommand, it is required.
    let config = kiosk.config.as_deref().unwrap_or("kiosk.toml".as_ref());
    if !kiosk.guarded && !kiosk.paused {
        #[cfg(unix)]
        if has_display() && hailong::kiosk::guardian::is_wanted(config) {
            return guard(kiosk, config);
        }
        return screen(kiosk, config, None).map_err(|(failure, _)| failure);
    }
    let lifeline = Lifeline::of_stdin().map_err(|e| Failure::new(USAGE, e))?;
    let ended = if kiosk.paused {
        paused::show(config, &lifeline).map_err(of_run)
    } else {
        lifeline.listen(|_| {}).map_err(|e| Failure::new(INTERNAL, e))?;
        screen(kiosk, config, Some(&lifeline))
    };
    if let Err((failure, hopeless)) = ended {
        // The guardian says it.
        lifeline.last_words(failure.code, &failure.message, hopeless);
        std::process::exit(failure.code.into());
    }
    Ok(())
}

/// Guards a screen in a process of its own, which begins as this one was asked to.
#[cfg(all(feature = "kiosk", unix))]
fn guard(kiosk: &Kiosk, config: &std::path::Path) -> Result<(), Failure> {
    use hailong::kiosk::guardian::{KeepError, keep};
    let code = kiosk.enrol.iter().flat_map(|code| ["--enrol".into(), code.into()]);
    let new_key = kiosk.new_key.then(|| "--new-key".into());
    keep(config, code.chain(new_key).collect()).map_err(|error| match error {
        KeepError::Ended { code, why } => Failure::new(code, why),
        KeepError::Run(error) => of_run(error).0,
    })
}

/// The screen itself, until it is left; else why not, and whether there is none to say it on.
#[cfg(feature = "kiosk")]
fn screen(
    kiosk: &Kiosk,
    config: &std::path::Path,
    guarded: Option<&hailong::kiosk::lifeline::Lifeline>,
) -> Result<(), (Failure, bool)> {
    use hailong::kiosk::config::Config;
    use hailong::kiosk::run::{has_display, run};
    let config = Config::read(config).map_err(|e| (Failure::new(CONFIGURATION, e), false))?;
    if !has_display() {
        let message = "no display found; start the kiosk from a desktop session or a kiosk shell \
                       such as cage, or try `hailong demo`, which needs none";
        return Err((Failure::new(USAGE, message), true));
    }
    run(config, kiosk.enrol.as_deref(), kiosk.new_key, guarded).map_err(of_run)
}

#[cfg(feature = "kiosk")]
fn of_run(error: hailong::kiosk::run::RunError) -> (Failure, bool) {
    use hailong::kiosk::desk::DeskError;
    use hailong::kiosk::enrolment::EnrolmentError;
    use hailong::kiosk::run::RunError;
    let code = match &error {
        RunError::Enrolment(EnrolmentError::Unreachable(_)) => UNREACHABLE,
        RunError::Enrolment(_) | RunError::Desk(DeskError::NotEnrolled) => CONFIGURATION,
        RunError::NoFirstStart(_) | RunError::NoService | RunError::Setup(_) => CONFIGURATION,
        RunError::InUse(_) => USAGE,
        _ => INTERNAL,
    };
    let hopeless = error.is_hopeless();
    (Failure::new(code, error), hopeless)
}

#[cfg(feature = "kiosk")]
fn list_voices(asked: &super::KioskVoices) -> Result<(), Failure> {
    use hailong::domain::form::{Form, in_language};
    use hailong::kiosk::config::Config;
    use hailong::kiosk::voice::to_record;
    let wrong = |error: hailong::config::ConfigError| Failure::new(CONFIGURATION, error);
    let config = Config::read(&asked.config).map_err(wrong)?;
    let form: Form = hailong::config::Source::read(&asked.form)
        .and_then(|source| source.toml())
        .map_err(wrong)?;
    for texts in &config.texts {
        for spoken in to_record(texts, in_language(&form.question, &texts.language)) {
            let there =
                config.voice.as_ref().map(|voice| voice.folder.join(&spoken.file).is_file());
            let mark = if there == Some(true) { "there" } else { "missing" };
            println!("{}\t{mark}\t{}", spoken.file.display(), spoken.text);
        }
    }
    Ok(())
}

#[cfg(not(feature = "central"))]
pub fn central(_: &Central) -> Result<(), Failure> {
    Err(not_in_this_build("central"))
}

#[cfg(feature = "central")]
pub fn central(central: &Central) -> Result<(), Failure> {
    use hailong::central::config::Config;
    use hailong::central::service::{ServiceError, run};
    let config = Config::read(&central.config).map_err(|e| Failure::new(CONFIGURATION, e))?;
    run(config, central.backup.as_deref()).map_err(|error| {
        let code = match &error {
            ServiceError::InUse(_) | ServiceError::DemoFolder(_) => USAGE,
            ServiceError::NoBackup | ServiceError::DemoKeys(_) => USAGE,
            ServiceError::Listen(..) => CONFIGURATION,
            _ => INTERNAL,
        };
        Failure::new(code, error)
    })
}

#[cfg(not(feature = "central"))]
pub fn summary(_: &Summary) -> Result<(), Failure> {
    Err(not_in_this_build("central"))
}

#[cfg(feature = "central")]
pub fn summary(asked: &Summary) -> Result<(), Failure> {
    use std::io::{IsTerminal, Write};

    use super::Format;
    use hailong::central::report::Report;
    let format = match asked.format {
        Format::Table => "table",
        Format::Json => "json",
        Format::Csv => "csv",
        Format::Xlsx => "xlsx",
    };
    if matches!(asked.format, Format::Xlsx) && asked.out.is_none() {
        return Err(Failure::new(
            USAGE,
            "name the file to write with --out, such as --out day.xlsx",
        ));
    }
    if let Some(server) = &asked.place.server() {
        let of = match &asked.office {
            _ if asked.all => "offices".to_owned(),
            office => format!("summary/{}", office.as_deref().unwrap_or("only")),
        };
        let date = asked.date.map_or_else(|| "latest".to_owned(), |date| date.to_string());
        let lang = asked.lang.as_ref().map_or_else(String::new, |lang| format!("&lang={lang}"));
        let path = format!("/api/v1/{of}/{date}?format={format}{lang}");
        if let Some(out) = &asked.out {
            let bytes = staff::fetch(server, &path, out, |_| true)?;
            println!("{}: {bytes} bytes", out.display());
            return Ok(());
        }
        println!("{}", staff::get(server, &path)?.trim_end());
        return Ok(());
    }
    let (data, lang) = (&asked.place.data, asked.lang.as_deref());
    let tell = |done, of| {
        if std::io::stderr().is_terminal() {
            let line = format!("{done} of {of} offices");
            eprint!("\r{}", if done < of { line } else { " ".repeat(line.len()) + "\r" });
        }
    };
    let report = if asked.all {
        Report::of_offices(data, asked.date, tell)
    } else {
        Report::of_office(data, asked.office.as_deref(), asked.date)
    };
    let report = report.map_err(of_report)?;
    let bytes = match asked.format {
        Format::Table => report.table(lang).map(String::into_bytes),
        Format::Json => Ok(format!("{}\n", report.json()).into_bytes()),
        Format::Csv => report.csv(lang),
        Format::Xlsx => report.xlsx(lang),
    };
    let bytes = bytes.map_err(of_report)?;
    let Some(out) = &asked.out else {
        return match std::io::stdout().lock().write_all(&bytes) {
            // Whoever reads it has seen enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|error| Failure::new(INTERNAL, error)),
        };
    };
    let disk = |error: std::io::Error| Failure::new(USAGE, format!("{}: {error}", out.display()));
    let mut file = std::fs::File::create_new(out).map_err(disk)?;
    file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(disk)?;
    println!("{}: {} bytes", out.display(), bytes.len());
    Ok(())
}

/// Whether an archive's end is there: its last record says that nothing is missing.
#[cfg(feature = "central")]
fn is_whole(tail: &[u8]) -> bool {
    let last = tail.strip_suffix(b"\n").and_then(|tail| tail.rsplit(|b| *b == b'\n').next());
    last.is_some_and(|last| last.starts_with(b"{\"record\":\"end\""))
}

#[cfg(feature = "central")]
fn of_report(error: hailong::central::report::ReportError) -> Failure {
    use hailong::central::report::ReportError;
    let code = match &error {
        ReportError::NoStore(_) | ReportError::Office(_) | ReportError::NoDay => USAGE,
        ReportError::Language(_) => USAGE,
        ReportError::Store(_) | ReportError::Summary(_) | ReportError::Unwritten(_) => INTERNAL,
        ReportError::Setting(_) => CONFIGURATION,
    };
    Failure::new(code, error)
}

#[cfg(not(feature = "central"))]
pub fn export(_: &Export) -> Result<(), Failure> {
    Err(not_in_this_build("central"))
}

#[cfg(feature = "central")]
pub fn export(asked: &Export) -> Result<(), Failure> {
    use hailong::central::export::{Asked, ExportError, of_folder};
    if let (Some(from), Some(to)) = (asked.from, asked.to)
        && from > to
    {
        return Err(Failure::new(USAGE, "--from: expected a day not after --to"));
    }
    let Export { from, to, opened, .. } = *asked;
    if let Some(server) = &asked.place.server() {
        let days = [("from", from), ("to", to)];
        let days = days.iter().filter_map(|(name, day)| Some(format!("&{name}={}", (*day)?)));
        let path = format!("/api/v1/export?opened={opened}{}", days.collect::<String>());
        let bytes = staff::fetch(server, &path, &asked.out, is_whole)?;
        println!("{}: {bytes} bytes", asked.out.display());
        if opened {
            println!("It holds what was answered: keep it to yourself.");
        }
        return Ok(());
    }
    let exported = of_folder(&asked.place.data, Asked { from, to, opened }, &asked.out);
    let exported = exported.map_err(|error| {
        let code = match &error {
            ExportError::Offline(error) if error.is_usage() => USAGE,
            ExportError::NoRoot(_) | ExportError::Archive(..) => USAGE,
            ExportError::Offline(_) | ExportError::Store(_) => INTERNAL,
        };
        Failure::new(code, error)
    })?;
    let out = asked.out.display();
    println!(
        "{out}: {} lines in {} batches, {} roots",
        exported.lines, exported.batches, exported.roots
    );
    if opened {
        println!("It holds what was answered: hand it to the auditor alone.");
    }
    Ok(())
}

#[cfg(not(feature = "central"))]
pub fn verify(_: &Verify) -> Result<(), Failure> {
    Err(not_in_this_build("central"))
}

#[cfg(feature = "central")]
pub fn verify(asked: &Verify) -> Result<(), Failure> {
    use hailong::central::verify::{VerifyError, of_file};
    let anchor = asked.anchor.as_ref().map(|hex| hex.parse()).transpose();
    let anchor = anchor.map_err(|error| Failure::new(USAGE, format!("--anchor: {error}")))?;
    let report = of_file(&asked.archive, anchor).map_err(|error| {
        let code = if matches!(error, VerifyError::Store(_)) { INTERNAL } else { USAGE };
        Failure::new(code, error)
    })?;
    println!(
        "{} lines in {} batches, {} roots; {} summaries made again",
        report.lines, report.batches, report.roots, report.summaries
    );
    for note in &report.notes {
        println!("note: {note}");
    }
    for problem in &report.problems {
        println!("WRONG: {problem}");
    }
    match report.problems.len() {
        0 => {
            println!("nothing is wrong");
            Ok(())
        }
        1 => Err(Failure::new(BROKEN, "the archive is not as it should be: see above")),
        n => Err(Failure::new(
            BROKEN,
            format!("{n} things in the archive are not as they should be"),
        )),
    }
}

#[cfg(not(all(feature = "kiosk", feature = "central")))]
pub fn check(_: &Check) -> Result<(), Failure> {
    Err(not_in_this_build("kiosk or central"))
}

#[cfg(all(feature = "kiosk", feature = "central"))]
pub fn check(asked: &Check) -> Result<(), Failure> {
    use hailong::domain::check::CheckCode;
    use hailong::domain::ids::Hash;
    use hailong::domain::root::Proof;
    let usage = |error: &dyn std::fmt::Display| Failure::new(USAGE, error.to_string());
    let code: CheckCode = asked.code.parse().map_err(|error| usage(&error))?;
    let anchor: Option<Hash> =
        asked.anchor.as_ref().map(|hex| hex.parse()).transpose().map_err(|error| usage(&error))?;
    let path = format!("/api/v1/proof/{code}");
    let said = staff::get_openly(&asked.server, asked.ca.as_deref(), &path)?;
    let proof: Proof = serde_json::from_str(&said).map_err(|e| Failure::new(INTERNAL, e))?;
    let broken = |why: &str| Failure::new(BROKEN, format!("this proves nothing: {why}"));
    if CheckCode::of(code.kiosk, proof.line) != code {
        return Err(broken("it is about another rating"));
    }
    let statement = proof.verify().ok_or_else(|| broken("the line is not under the root"))?;
    if anchor.is_some_and(|anchor| anchor != proof.root.anchor) {
        let here = proof.root.anchor;
        return Err(broken(&format!("its root is {here}, not the one that was written down")));
    }
    println!(
        "{code} is line {} of {} under the root of {}",
        proof.place + 1,
        statement.lines,
        statement.day
    );
    println!("anchor {}", proof.root.anchor);
    if anchor.is_none() {
        println!("compare it with the anchor that was published or written down that day");
    }
    Ok(())
}

#[cfg(not(feature = "central"))]
pub fn rebuild(_: &Rebuild) -> Result<(), Failure> {
    Err(not_in_this_build("central"))
}

#[cfg(feature = "central")]
pub fn rebuild(asked: &Rebuild) -> Result<(), Failure> {
    use hailong::central::rebuild::of_folder;
    use hailong::central::store::Rebuilt;
    eprintln!("reading the journals anew …");
    let rebuilt: Rebuilt = match &asked.place.server() {
        Some(server) => {
            // It takes as long as the journals are.
            let longest = std::time::Duration::from_secs(3_600);
            let path = "/api/v1/rebuild";
            let said = staff::post(server, path, String::new(), longest)?;
            serde_json::from_str(&said).map_err(|error| Failure::new(INTERNAL, error))?
        }
        None => of_folder(&asked.place.data).map_err(|error| {
            let code = if error.is_usage() { USAGE } else { INTERNAL };
            Failure::new(code, error)
        })?,
    };
    println!("{} batches of {} lines read", rebuilt.batches, rebuilt.lines);
    if !rebuilt.unread.is_empty() {
        println!("{}", rebuilt.unread.join("\n"));
        let n = rebuilt.unread.len();
        let message = format!(
            "{n} stored batches are not what was signed, so nothing was set right; put the last \
             backup in the database's place: kiosks send again what came after it"
        );
        return Err(Failure::new(BROKEN, message));
    }
    if rebuilt.differ == 0 {
        println!("ratings and tallies are what the journals give, digest {}", rebuilt.after);
        return Ok(());
    }
    println!("{}", rebuilt.rows.join("\n"));
    let message = format!(
        "ratings and tallies were not what the journals give, in {} rows, the first of them above; \
         they are now: digest {}, before {}",
        rebuilt.differ, rebuilt.after, rebuilt.before
    );
    Err(Failure::new(BROKEN, message))
}

/// What a kiosk's scanner reads at the first start, drawn.
#[cfg(all(feature = "kiosk", feature = "central"))]
fn of_setup(reply: &hailong::central::administration::CodeReply) -> Result<String, Failure> {
    use hailong::kiosk::{qr, setup::SCANNED};
    if reply.service.is_empty() {
        return Err(Failure::new(USAGE, "--qr: this service is older and tells no address"));
    }
    let text = format!("{SCANNED}{} {}", reply.service, reply.code);
    qr::on_terminal(&text).ok_or_else(|| Failure::new(INTERNAL, "--qr: the address is too long"))
}

#[cfg(all(feature = "kiosk", feature = "central"))]
fn kiosks(place: &super::Place, lang: Option<&str>) -> Result<(), Failure> {
    let table = match &place.server() {
        Some(server) => {
            let lang = lang.map_or_else(String::new, |lang| format!("&lang={lang}"));
            let path = format!("/api/v1/kiosks?format=table{lang}");
            staff::get(server, &path)?
        }
        None => hailong::central::kiosks::of_folder(&place.data, lang).map_err(of_report)?,
    };
    print!("{table}");
    Ok(())
}

#[cfg(all(feature = "kiosk", feature = "central"))]
pub fn admin(admin: Admin) -> Result<(), Failure> {
    use hailong::central::administration::{CodeReply, CodeRequest};
    match admin {
        Admin::EnrolCode { server, ca, token, office, counter, kiosk, qr } => {
            let server =
                staff::Server { base: &server, ca: ca.as_deref(), token: token.as_deref() };
            let bad = |name: &str, error| Failure::new(USAGE, format!("--{name}: {error}"));
            let asked = CodeRequest {
                kiosk: kiosk.parse().map_err(|error| bad("kiosk", error))?,
                office: office.parse().map_err(|error| bad("office", error))?,
                counter: counter
                    .parse()
                    .map_err(|error| Failure::new(USAGE, format!("--counter: {error}")))?,
            };
            let body = serde_json::to_string(&asked).map_err(|e| Failure::new(INTERNAL, e))?;
            let path = "/api/v1/enrolment-codes";
            let said = staff::post(&server, path, body, staff::LONGEST)?;
            let reply: CodeReply =
                serde_json::from_str(&said).map_err(|e| Failure::new(INTERNAL, e))?;
            println!("{}", reply.code);
            if qr {
                println!("{}", of_setup(&reply)?);
            }
            eprintln!("valid for {} minutes, for one kiosk", reply.minutes);
            Ok(())
        }
        Admin::Directory(command) => directory::run(command),
        Admin::QueueCall { config, counter, invite, ca } => {
            call::call(&config, &counter, invite, ca.as_deref())
        }
        Admin::User(user) => people::user(user),
        Admin::Token(token) => people::token(token),
        Admin::Kiosks { place, lang } => kiosks(&place, lang.as_deref()),
        Admin::StaffCode { config, office, who, badge } => {
            staff_code::give(&config, &office, &who, badge.as_deref())
        }
        Admin::Import { folder, place } => by_hand::import(&folder, &place),
        Admin::RenewKeys { data, backup, person, reason } => {
            decide::renew_keys(&data, &backup, person, reason)
        }
        Admin::Matters { place, all } => decide::matters(&place, all),
        Admin::Decide { place, person, reason, what } => {
            decide::decide(&place, &person, &reason, what)
        }
    }
}
