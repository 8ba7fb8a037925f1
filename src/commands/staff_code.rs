//! `hailong admin staff-code`: a code for somebody of an office's staff.

use std::path::Path;

use hailong::central::config::Config;
use hailong::central::staff_code::{GiveError, give as draw};
use hailong::domain::ids::OfficeCode;
use hailong::domain::staff_code::Staff;
use hailong::files::write_whole;
use hailong::kiosk::qr;

use super::{CONFIGURATION, Failure, INTERNAL, USAGE};

pub fn give(config: &Path, office: &str, who: &str, badge: Option<&Path>) -> Result<(), Failure> {
    let office: OfficeCode =
        office.parse().map_err(|error| Failure::new(USAGE, format!("--office: {error}")))?;
    let who: Staff = who.parse().map_err(|error| Failure::new(USAGE, format!("--who: {error}")))?;
    let mut config = Config::read(config).map_err(|error| Failure::new(CONFIGURATION, error))?;
    let code = draw(&mut config, &office, who.clone()).map_err(|error| {
        let usage = matches!(error, GiveError::Office(_) | GiveError::Official(_));
        Failure::new(if usage { USAGE } else { INTERNAL }, error)
    })?;
    println!("{}", *code);
    if let Some(file) = badge {
        let drawn = qr::badge(&code, &who.to_string());
        let drawn = drawn.ok_or_else(|| Failure::new(INTERNAL, "the badge cannot be drawn"))?;
        write_whole(file, drawn.as_bytes(), true).map_err(|error| {
            let file = file.display();
            Failure::new(USAGE, format!("--badge: {file}: {error}; the code above is valid"))
        })?;
    }
    eprintln!("the code of {who}, told only here; the one before is no longer valid");
    eprintln!("start the central service anew: kiosks have it within five minutes after that");
    Ok(())
}
