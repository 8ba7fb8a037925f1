//! Who may do what at the central service: accounts, their roles, and the units that these reach.
//!
//! A role says what its holder may do, a unit for whom: an office, or the whole province and so all
//! offices below it. Nothing here depends on how somebody proved who they are.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::ids::{Login, OfficeCode, OfficialId};

/// The account that a command on the service's own machine acts as: whoever may read its folder needs
/// no password. Nobody can sign in under it.
pub const CONSOLE: &str = "console";
/// Who looks when summaries are put into a folder: nobody in particular.
pub const DELIVERY: &str = "delivery";

/// What a person is at the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Sets up kiosks and accounts, decides what a person has to, and sees the figures.
    Administrator,
    /// Sees the figures of the day.
    Supervisor,
    /// Sees the figures, and whatever they can be checked with.
    Auditor,
    /// Reads reports of violations: another reader than the office's own.
    Reader,
    /// Sees their own figures, a day late, and who looked at them.
    Official,
}

/// What may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Right {
    /// Manage one's own account. No token has it.
    OwnAccount,
    /// See one's own figures.
    OwnFigures,
    /// See an office's summaries.
    Figures,
    /// See how kiosks are.
    Fleet,
    /// See what a person should look at.
    Matters,
    /// Admit kiosks.
    Enrol,
    /// Decide, and erase what a citizen asks for.
    Decide,
    /// Hand in batches that came on a USB stick.
    ByHand,
    /// Make ratings and tallies anew.
    Rebuild,
    /// Take archives, with answers.
    Archive,
    /// Read reports of violations.
    Reports,
    /// Manage accounts. No token has it.
    Accounts,
    /// Change offices, counters, officials and rosters.
    Directory,
    /// See to whom mail goes and what became of it. No token has it.
    Deliveries,
}

impl Role {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Administrator, Self::Supervisor, Self::Auditor, Self::Reader, Self::Official];

    /// Whether its holder has a right.
    pub fn has(self, right: Right) -> bool {
        use Right::*;
        match right {
            OwnAccount => true,
            OwnFigures => self == Self::Official,
            Figures | Fleet | Matters => {
                matches!(self, Self::Administrator | Self::Supervisor | Self::Auditor)
            }
            Enrol | Decide | ByHand | Rebuild | Accounts | Directory | Deliveries => {
                self == Self::Administrator
            }
            Archive => self == Self::Auditor,
            Reports => self == Self::Reader,
        }
    }
}

impl Right {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::OwnAccount,
        Self::OwnFigures,
        Self::Figures,
        Self::Fleet,
        Self::Matters,
        Self::Enrol,
        Self::Decide,
        Self::ByHand,
        Self::Rebuild,
        Self::Archive,
        Self::Reports,
        Self::Accounts,
        Self::Directory,
        Self::Deliveries,
    ];

    /// Whether it cannot be had for one office alone: what it reaches is of all of them, or, as with
    /// reports, must not be read by the office's own.
    pub fn is_of_province(self) -> bool {
        matches!(
            self,
            Self::ByHand | Self::Rebuild | Self::Archive | Self::Reports | Self::Deliveries
        )
    }

    /// Whether a token may have it.
    pub fn is_for_tokens(self) -> bool {
        !matches!(self, Self::OwnAccount | Self::Accounts | Self::Deliveries)
    }
}

macro_rules! words {
    ($type:ident, $expected:literal, $($name:literal => $value:ident),* $(,)?) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(match self { $(Self::$value => $name),* })
            }
        }

        impl FromStr for $type {
            type Err = &'static str;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text { $($name => Ok(Self::$value),)* _ => Err($expected) }
            }
        }
    };
}

words!(
    Role, "expected administrator, supervisor, auditor, reader or official",
    "administrator" => Administrator, "supervisor" => Supervisor, "auditor" => Auditor,
    "reader" => Reader, "official" => Official,
);
words!(
    Right, "expected a right such as figures, fleet, enrol, decide or archive",
    "own_account" => OwnAccount, "own_figures" => OwnFigures, "figures" => Figures,
    "fleet" => Fleet, "matters" => Matters, "enrol" => Enrol, "decide" => Decide,
    "by_hand" => ByHand, "rebuild" => Rebuild, "archive" => Archive, "reports" => Reports,
    "accounts" => Accounts, "directory" => Directory, "deliveries" => Deliveries,
);

/// For whom somebody has their role: one office, or the whole province when none is named.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unit(pub Option<OfficeCode>);

impl Unit {
    /// The whole province.
    pub const PROVINCE: Self = Self(None);

    /// Whether an office is this unit, or below it.
    pub fn has_office(&self, office: &OfficeCode) -> bool {
        self.0.as_ref().is_none_or(|own| own == office)
    }

    /// Whether another unit is this one, or below it.
    pub fn has(&self, other: &Self) -> bool {
        self.0.is_none() || self == other
    }
}

/// What somebody is, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// What.
    pub role: Role,
    /// For whom.
    #[serde(rename = "office", default, skip_serializing_if = "is_province")]
    pub unit: Unit,
    /// Which official of the office: whose figures are their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub official: Option<OfficialId>,
}

fn is_province(unit: &Unit) -> bool {
    unit.0.is_none()
}

/// What nobody can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadStanding {
    /// An official of no office, or one who is not named.
    #[error("an official is one of an office: expected both")]
    NoOfficial,
    /// Somebody else with an official's figures.
    #[error("only an official has figures of their own")]
    NotOfficial,
    /// A reader of an office.
    #[error("a reader of reports is of no office: nobody of the office reads them")]
    Reader,
}

impl Standing {
    /// Of a role, for a unit.
    pub fn new(role: Role, unit: Unit) -> Self {
        Self { role, unit, official: None }
    }

    /// Of one of an office's officials.
    pub fn official(office: OfficeCode, official: OfficialId) -> Self {
        Self { role: Role::Official, unit: Unit(Some(office)), official: Some(official) }
    }

    /// Whether somebody can be this.
    pub fn check(&self) -> Result<(), BadStanding> {
        match (self.role, &self.official, &self.unit.0) {
            (Role::Official, Some(_), Some(_)) => Ok(()),
            (Role::Official, ..) => Err(BadStanding::NoOfficial),
            (_, Some(_), _) => Err(BadStanding::NotOfficial),
            (Role::Reader, None, Some(_)) => Err(BadStanding::Reader),
            _ => Ok(()),
        }
    }

    /// Whether they have a right, for their unit at least.
    pub fn may(&self, right: Right) -> bool {
        self.role.has(right) && (!right.is_of_province() || self.unit == Unit::PROVINCE)
    }

    /// Whether an administrator of this standing manages accounts of another: of their own unit and
    /// below, and nobody whose role reaches further.
    pub fn manages(&self, other: &Self) -> bool {
        self.may(Right::Accounts) && self.unit.has(&other.unit)
    }
}

/// How a summary was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum View {
    /// As a page.
    Page,
    /// As data: JSON or a table.
    Data,
    /// As a file that is kept: CSV or XLSX.
    File,
    /// In a way of a later version.
    #[serde(other, skip_serializing)]
    Unknown,
}

/// What an account did, or what was done to one: a line of the central service's own series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Access {
    /// An account was added, or it is something else from now on.
    Granted {
        /// Which.
        login: Login,
        /// What, and for whom.
        #[serde(flatten)]
        standing: Standing,
    },
    /// Nobody signs in under an account any more.
    Closed {
        /// Which.
        login: Login,
    },
    /// An account that was closed is in use again.
    Reopened {
        /// Which.
        login: Login,
    },
    /// A link was made under which the holder of an account sets a password.
    Invited {
        /// Which.
        login: Login,
    },
    /// A password was set.
    PasswordSet {
        /// Whose.
        login: Login,
    },
    /// A second factor is asked for from now on.
    FactorSet {
        /// Of whom.
        login: Login,
    },
    /// No second factor is asked for any more.
    FactorRemoved {
        /// Of whom.
        login: Login,
    },
    /// A token was made for programs.
    TokenMade {
        /// Whose.
        login: Login,
        /// What it is called.
        name: String,
        /// What may be done with it.
        rights: Vec<Right>,
        /// The last day on which it is valid.
        until: Date,
    },
    /// A token was ended.
    TokenEnded {
        /// Whose.
        login: Login,
        /// What it was called.
        name: String,
    },
    /// Figures of an office's officials were looked at.
    Looked {
        /// Whose officials.
        office: OfficeCode,
        /// The first day of what was looked at.
        from: Date,
        /// The last one.
        to: Date,
        /// How.
        view: View,
    },
    /// Something of a later version: stored, and without any effect here.
    #[serde(other, skip_serializing)]
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn office(code: &str) -> Unit {
        Unit(Some(code.parse().unwrap()))
    }

    /// The table of `docs/protocol.md`, row by row.
    #[test]
    fn each_role_has_its_rights_and_no_other() {
        for (role, rights) in [
            (
                Role::Administrator,
                "own_account figures fleet matters enrol decide by_hand rebuild accounts directory deliveries",
            ),
            (Role::Supervisor, "own_account figures fleet matters"),
            (Role::Auditor, "own_account figures fleet matters archive"),
            (Role::Reader, "own_account reports"),
            (Role::Official, "own_account own_figures"),
        ] {
            let has = Right::ALL.into_iter().filter(|right| role.has(*right));
            let has: Vec<String> = has.map(|right| right.to_string()).collect();
            assert_eq!(has.join(" "), rights, "{role}");
        }
        for right in Right::ALL {
            assert_eq!(right.to_string().parse(), Ok(right));
            assert_eq!(serde_json::to_value(right).unwrap(), right.to_string());
        }
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.to_string());
        }
    }

    #[test]
    fn a_role_reaches_its_unit_and_what_is_below_it() {
        let (here, there) = (office("phu-sa"), office("dong-tien"));
        assert!(Unit::PROVINCE.has(&here) && Unit::PROVINCE.has(&Unit::PROVINCE));
        assert!(here.has(&here) && !here.has(&there) && !here.has(&Unit::PROVINCE));
        let code = |code: &str| code.parse::<OfficeCode>().unwrap();
        assert!(here.has_office(&code("phu-sa")) && !here.has_office(&code("dong-tien")));
        assert!(Unit::PROVINCE.has_office(&code("dong-tien")));

        let of_office = Standing::new(Role::Administrator, here.clone());
        let of_province = Standing::new(Role::Administrator, Unit::PROVINCE);
        for right in Right::ALL {
            let whole = of_province.may(right);
            assert_eq!(of_office.may(right), whole && !right.is_of_province(), "{right}");
        }
        let supervisor = Standing::new(Role::Supervisor, here.clone());
        assert!(of_province.manages(&of_office) && of_office.manages(&supervisor));
        assert!(!of_office.manages(&of_province) && !supervisor.manages(&supervisor));
        assert!(!of_office.manages(&Standing::new(Role::Supervisor, there)));
    }

    #[test]
    fn what_nobody_can_be_is_refused() {
        let official = Standing::official("phu-sa".parse().unwrap(), "cb07".parse().unwrap());
        assert_eq!(official.check(), Ok(()));
        let of_province = Standing { unit: Unit::PROVINCE, ..official.clone() };
        assert_eq!(of_province.check(), Err(BadStanding::NoOfficial));
        let supervisor = Standing { role: Role::Supervisor, ..official };
        assert_eq!(supervisor.check(), Err(BadStanding::NotOfficial));
        let reader = Standing::new(Role::Reader, office("phu-sa"));
        assert_eq!(reader.check(), Err(BadStanding::Reader));
        assert_eq!(Standing::new(Role::Reader, Unit::PROVINCE).check(), Ok(()));
    }

    #[test]
    fn lines_name_what_was_done_and_read_what_a_later_version_writes() {
        let granted = Access::Granted {
            login: "lan".parse().unwrap(),
            standing: Standing::official("phu-sa".parse().unwrap(), "cb07".parse().unwrap()),
        };
        let text = r#"{"what":"granted","login":"lan","role":"official","office":"phu-sa","official":"cb07"}"#;
        assert_eq!(serde_json::to_string(&granted).unwrap(), text);
        assert_eq!(serde_json::from_str::<Access>(text).unwrap(), granted);
        let whole = r#"{"what":"granted","login":"lan","role":"auditor"}"#;
        let read: Access = serde_json::from_str(whole).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), whole);
        let later = r#"{"what":"danced","login":"lan"}"#;
        assert_eq!(serde_json::from_str::<Access>(later).unwrap(), Access::Unknown);
    }
}
