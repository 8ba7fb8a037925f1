//! `hailong admin user` and `hailong admin token`: accounts on the service's own machine.

use hailong::central::access::console::{self, ConsoleError};
use hailong::domain::access::{Role, Standing, Unit};

use super::{Failure, INTERNAL, USAGE};
use crate::{Token, User};

fn failed(error: ConsoleError) -> Failure {
    Failure::new(if error.is_usage() { USAGE } else { INTERNAL }, error)
}

pub fn user(user: User) -> Result<(), Failure> {
    match user {
        User::Add { data, login, name, role, office, official } => {
            let unit = Unit(office);
            let standing = Standing { role, unit, official };
            if role != Role::Official && standing.official.is_some() {
                return Err(Failure::new(USAGE, "--official: only with --role official"));
            }
            let link = console::add(&data, login, &name, standing).map_err(failed)?;
            println!("{link}");
            eprintln!("valid for 3 days, once: for {name} alone, who sets a password there");
        }
        User::Link { data, login } => {
            println!("{}", console::link(&data, login).map_err(failed)?);
            eprintln!("valid for 3 days, once");
        }
        User::Close { data, login } => {
            console::close(&data, login).map_err(failed)?;
        }
        User::List { data } => {
            for account in console::list(&data).map_err(failed)? {
                let unit = account.standing.unit.0.map_or("*".to_owned(), |code| code.to_string());
                let state = match (account.closed, account.password.is_some()) {
                    (true, _) => "closed",
                    (false, true) => "in use",
                    (false, false) => "no password yet",
                };
                let (login, role) = (account.login.as_str(), account.standing.role);
                println!("{login:<20}  {role:<13}  {unit:<12}  {state:<15}  {}", account.name);
            }
        }
    }
    Ok(())
}

pub fn token(asked: Token) -> Result<(), Failure> {
    let Token { data, login, name, rights, days } = asked;
    println!("{}", console::token(&data, login, &name, rights, days).map_err(failed)?);
    eprintln!("told once: keep it in a file that --token names, for your eyes alone");
    Ok(())
}
