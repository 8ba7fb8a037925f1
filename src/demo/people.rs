//! Invented people with accounts, and links that sign in as each of them while the demo runs: nobody has a
//! password of theirs.

use crate::central::access::accounts_page::new_account;
use crate::central::service::Central;
use crate::central::store::StoreError;
use crate::domain::access::{CONSOLE, Role, Standing, Unit};
use crate::domain::ids::Login;
use crate::domain::office::Directory;

/// A person of the demo, and the path that signs in as them.
pub struct Person {
    /// What they are.
    pub role: Role,
    /// The path, below the staff's address.
    pub path: String,
}

/// Adds an account for each role, unless it is there from the day before: a supervisor of a unit, an official of an
/// office, and the others of the province.
pub async fn invite(
    central: &Central,
    directory: &Directory,
    supervised: &Unit,
) -> Result<Vec<Person>, StoreError> {
    let office = directory.office.code.clone();
    let official = directory.officials.first();
    let people = [
        ("giam-sat", "Đỗ Thị Hằng", Some(Standing::new(Role::Supervisor, supervised.clone()))),
        ("quan-tri", "Lê Văn Quang", Some(Standing::new(Role::Administrator, Unit::PROVINCE))),
        ("kiem-tra", "Vũ Thị Lan", Some(Standing::new(Role::Auditor, Unit::PROVINCE))),
        ("tiep-nhan", "Hoàng Văn Minh", Some(Standing::new(Role::Reader, Unit::PROVINCE))),
        (
            "can-bo",
            official.map_or("", |official| &official.name),
            official.map(|official| Standing::official(office.clone(), official.id.clone())),
        ),
    ];
    let mut invited = Vec::new();
    for (login, name, standing) in people {
        let (Ok(login), Some(standing)) = (login.parse::<Login>(), standing) else { continue };
        let role = standing.role;
        let account = new_account(login.clone(), name, standing, central.now());
        central.store.add_account(account, CONSOLE.to_owned()).await?;
        invited.push(Person { role, path: central.sign_ins.open_door(login) });
    }
    Ok(invited)
}
