//! Who may do what at the staff's doors: every door for every role and unit, and what proves who somebody is.

mod common;

use std::collections::BTreeMap;
use std::sync::OnceLock;

use common::web::{form_of, page, send};
use common::{TestCentral, at, rate, sample_config};
use hailong::central::access::account_page::draw_token;
use hailong::central::access::accounts_page::{invite, new_account};
use hailong::central::access::factor::Shared;
use hailong::central::access::who::{BROWSER, SESSION};
use hailong::central::staff::DOORS;
use hailong::domain::access::{Access, CONSOLE, Right, Role, Standing, Unit, View};
use hailong::domain::ids::Login;
use hailong::domain::line::Event;
use hailong::kiosk::network::client;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Method, Response};
use serde_json::Value;

const OFFICES: [&str; 2] = ["phu-sa", "dong-tien"];

/// A service of two offices with a day each, in the afternoon of the next day: at each counter 3 of each
/// office eight citizens rated.
async fn two_offices() -> TestCentral {
    let mut config = sample_config();
    let mut other = config.offices[0].clone();
    other.office.code = OFFICES[1].parse().unwrap();
    other.office.name = "Trung tâm Phục vụ hành chính công xã Đông Tiến".to_owned();
    config.offices.push(other);
    let central = TestCentral::with_config(config, at("2026-11-24 08:15")).await;
    let mut kiosk = central.kiosk("q3").await;
    let mut desk = kiosk.desk();
    for _ in 0..8 {
        rate(&mut desk, "hai_long", &[]);
    }
    drop(desk);
    kiosk.sent(3 + 8 * 2).await;
    central.clock.set(at("2026-11-25 14:00"));
    central
}

fn unit(office: &str) -> Unit {
    Unit(Some(office.parse().unwrap()))
}

/// Everybody whom a test of doors asks for: all that somebody can be, of the province and of each office.
fn everybody() -> Vec<Standing> {
    let mut all = Vec::new();
    for role in Role::ALL {
        if role != Role::Official {
            all.push(Standing::new(role, Unit::PROVINCE));
        }
        for office in OFFICES {
            match role {
                Role::Reader => {}
                Role::Official => {
                    let (office, official) = (office.parse().unwrap(), "cb01".parse().unwrap());
                    all.push(Standing::official(office, official));
                }
                _ => all.push(Standing::new(role, unit(office))),
            }
        }
    }
    all.iter().for_each(|standing| assert_eq!(standing.check(), Ok(())));
    all
}

/// What a form with files is sent as.
const PARTS: &str = "multipart/form-data; boundary=x";

/// What was drawn of a form, as the address of its pictures names it.
static DRAWN: OnceLock<String> = OnceLock::new();

async fn drawn(central: &TestCentral) -> String {
    let cookie = central.cookie(Role::Administrator).await;
    let (_, page) = page(central, "/forms/nam-muc@2", &cookie).await;
    let (_, rest) = page.split_once("/forms/pictures/").expect("a picture");
    rest.split('/').next().expect("a hash").to_owned()
}

/// How a door is asked: its method, its path for an office, and a body that changes nothing.
fn asked(path: &str, office: &str) -> Vec<(Method, String, &'static str, &'static str)> {
    let path = path
        .replace("{office}", office)
        .replace("{period}", "2026-11-24")
        .replace("{form}", "nam-muc@2")
        .replace("{subject}", DRAWN.get().map_or("-", String::as_str))
        .replace("{place}", "0")
        .replace("{day}", "2026-11-24");
    let form = "application/x-www-form-urlencoded";
    let json = "application/json";
    let get = |path: &str| (Method::GET, path.to_owned(), "", "");
    match path.as_str() {
        "/account" | "/accounts" | "/fleet" | "/directory" | "/deliveries" | "/reports"
        | "/forms" => {
            vec![get(&path), (Method::POST, path.clone(), form, "do=")]
        }
        "/summary/phu-sa" | "/summary/dong-tien" => {
            vec![get(&format!("{path}?from=2026-11-23&to=2026-11-24"))]
        }
        "/directory/phu-sa"
        | "/directory/dong-tien"
        | "/improvements/phu-sa"
        | "/improvements/dong-tien" => {
            vec![get(&path), (Method::POST, path.clone(), form, "do=")]
        }
        "/directory/import" => vec![(Method::POST, path, PARTS, "")],
        "/api/v1/directory" => {
            vec![get(&path), (Method::POST, format!("{path}?dry_run=true"), PARTS, "")]
        }
        "/sign-out" => vec![(Method::POST, path, form, "")],
        "/api/v1/enrolment-codes" | "/api/v1/decisions" | "/api/v1/erasures" => {
            vec![(Method::POST, path, json, "{}")]
        }
        "/api/v1/journal" => vec![(Method::POST, path, "application/octet-stream", "")],
        "/api/v1/rebuild" => vec![(Method::POST, path, json, "")],
        _ => vec![get(&path)],
    }
}

async fn ask(
    central: &TestCentral,
    (method, path, kind, body): &(Method, String, &'static str, &'static str),
    (name, value): (&str, &str),
    form: Option<&str>,
) -> Response {
    let address = format!("http://{}{path}", central.staff);
    let mut request = client().unwrap().request(method.clone(), address).header(name, value);
    if *method == Method::POST {
        let mut body = (*body).to_owned();
        if *kind == PARTS {
            let form = form.unwrap_or_default();
            let part = "--x\r\nContent-Disposition: form-data; name=\"form\"\r\n\r\n";
            body = format!("{part}{form}\r\n--x--\r\n");
        } else if let Some(form) = form {
            body = format!("{body}&form={form}");
        }
        request = request.header("content-type", *kind).body(body);
    }
    request.send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_door_opens_for_whom_it_should_of_every_unit_and_for_nobody_else() {
    let central = two_offices().await;
    DRAWN.set(drawn(&central).await).expect("once");
    let mut tried: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for door in DOORS {
        for one in asked(door.path, OFFICES[0]) {
            let reply = ask(&central, &one, ("accept", "*/*"), None).await;
            assert_eq!(reply.status(), 401, "{} {} for nobody", one.0, one.1);
            assert!(reply.headers().contains_key("www-authenticate"), "{}", one.1);
        }
    }
    for standing in everybody() {
        let cookie = central.cookie_of(standing.clone()).await;
        let form = form_of(&central, &cookie).await;
        let token = format!("Bearer {}", central.token_of(standing.clone()).await);
        for door in DOORS {
            for office in OFFICES {
                for one in asked(door.path, office) {
                    let what = format!("{} {} for {standing:?}", one.0, one.1);
                    let may = standing.may(door.right);
                    let here = !door.path.contains("{office}")
                        || standing.unit.has_office(&office.parse().unwrap());
                    let count = tried.entry(door.path).or_default();
                    count[usize::from(may && here)] += 1;
                    // A token has what its holder has, but for accounts.
                    let reply = ask(&central, &one, ("authorization", &token), None).await;
                    let status = reply.status().as_u16();
                    match (may && door.right.is_for_tokens(), here) {
                        (false, _) => assert_eq!(status, 403, "{what} by token"),
                        (true, false) => assert_eq!(status, 404, "{what} by token"),
                        (true, true) => {
                            assert!(![401, 403, 404, 500].contains(&status), "{what}: {status}");
                        }
                    }
                    // The session ends by signing out: not with the one that is still needed.
                    if door.path == "/sign-out" {
                        continue;
                    }
                    let reply = ask(&central, &one, (COOKIE.as_str(), &cookie), None).await;
                    let status = reply.status().as_u16();
                    match (may, one.0 == Method::POST, here) {
                        (false, ..) => assert_eq!(status, 403, "{what}"),
                        // Without what its own pages carry, nothing is changed.
                        (true, true, _) => assert_eq!(status, 403, "{what} from elsewhere"),
                        (true, false, false) => assert_eq!(status, 404, "{what}"),
                        (true, false, true) => {
                            assert!(![401, 403, 404, 500].contains(&status), "{what}: {status}");
                        }
                    }
                    if may && one.2 == "application/x-www-form-urlencoded" {
                        let header = (COOKIE.as_str(), cookie.as_str());
                        let reply = ask(&central, &one, header, Some(&form)).await;
                        let expected = if here { 200 } else { 404 };
                        assert_eq!(reply.status(), expected, "{what} from its own page");
                    }
                    if may && one.2 == PARTS {
                        // No file is in it.
                        let header = (COOKIE.as_str(), cookie.as_str());
                        let reply = ask(&central, &one, header, Some(&form)).await;
                        assert_eq!(reply.status(), 422, "{what} from its own page");
                    }
                }
            }
        }
    }
    for (path, [closed, open]) in &tried {
        assert!(*open > 0, "{path} opened for nobody");
        assert!(*closed > 0 || ["/", "/account", "/sign-out"].contains(path), "{path} for all");
    }
    assert_eq!(tried.len(), DOORS.len());
}

async fn get(central: &TestCentral, path: &str, token: &str) -> (u16, Value) {
    let address = format!("http://{}{path}", central.staff);
    let reply = client().unwrap().get(address).bearer_auth(token).send().await.unwrap();
    let status = reply.status().as_u16();
    (status, serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap_or_default())
}

async fn post(central: &TestCentral, path: &str, token: &str, body: Value) -> (u16, String) {
    let address = format!("http://{}{path}", central.staff);
    let request = client().unwrap().post(address).bearer_auth(token);
    let reply = request
        .header("content-type", "application/json")
        .body(body.to_string())
        .send()
        .await
        .unwrap();
    (reply.status().as_u16(), reply.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_another_unit_is_reached_by_its_name() {
    let central = two_offices().await;
    let own = central.token_of(Standing::new(Role::Administrator, unit(OFFICES[0]))).await;
    let other = central.token_of(Standing::new(Role::Administrator, unit(OFFICES[1]))).await;
    let whole = central.token(Role::Administrator).await;
    for (token, kiosks) in [(&own, 1), (&other, 0), (&whole, 1)] {
        let (_, fleet) = get(&central, "/api/v1/kiosks", token).await;
        assert_eq!(fleet.as_array().unwrap().len(), kiosks);
        let (_, matters) = get(&central, "/api/v1/matters", token).await;
        assert_eq!(matters["kiosks"].as_array().unwrap().len(), kiosks);
    }
    // “only” is the only one that is theirs.
    let (status, day) = get(&central, "/api/v1/summary/only/2026-11-24", &own).await;
    assert_eq!((status, &day["office"]), (200, &Value::from(OFFICES[0])));
    assert_eq!(get(&central, "/api/v1/summary/only/2026-11-24", &whole).await.0, 404);

    let decision = |what: &str| {
        serde_json::json!({
            "what": what, "kiosk": "ps-q3", "person": "Lê Thị Hoa", "reason": "thử"
        })
    };
    let (status, said) = post(&central, "/api/v1/decisions", &other, decision("suspended")).await;
    assert_eq!(status, 422, "{said}");
    assert!(said.contains("no kiosk ps-q3 is admitted here"), "{said}");
    let (status, said) = post(&central, "/api/v1/decisions", &own, decision("suspended")).await;
    assert_eq!(status, 200, "{said}");
    let taken: Value = serde_json::from_str(&said).unwrap();
    // Nor is what another unit decided withdrawn, or seen.
    let back = serde_json::json!({
        "what": "withdrawn", "epoch": taken["epoch"], "seq": taken["seq"],
        "person": "Lê Thị Hoa", "reason": "thử"
    });
    let (status, said) = post(&central, "/api/v1/decisions", &other, back.clone()).await;
    assert_eq!(status, 422, "{said}");
    let (_, matters) = get(&central, "/api/v1/matters", &other).await;
    assert_eq!(matters["decisions"], Value::Array(vec![]));
    let (_, matters) = get(&central, "/api/v1/matters", &own).await;
    let decided = &matters["decisions"][0];
    assert_eq!(decided["person"], "Lê Thị Hoa (administrator-phu-sa)", "whoever is named");
    assert_eq!(post(&central, "/api/v1/decisions", &own, back).await.0, 200);

    let code = serde_json::json!({ "kiosk": "ps-q9", "office": OFFICES[0], "counter": "q1" });
    assert_eq!(post(&central, "/api/v1/enrolment-codes", &other, code.clone()).await.0, 422);
    assert_eq!(post(&central, "/api/v1/enrolment-codes", &own, code).await.0, 200);
}

/// The lines of accounts and looks in the own series.
async fn lines(central: &TestCentral) -> Vec<(String, Access)> {
    let lines = central.lines().await.into_iter();
    let access = lines.filter(|line| line.event == Event::Access);
    access.map(|line| (line.person.unwrap(), line.access.unwrap())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_at_officials_figures_are_lines_that_the_official_sees() {
    let central = two_offices().await;
    let supervisor = central.token_of(Standing::new(Role::Supervisor, unit(OFFICES[0]))).await;
    let official = Standing::official(OFFICES[0].parse().unwrap(), "cb07".parse().unwrap());
    for path in [
        "/api/v1/summary/phu-sa/2026-11-24",
        "/api/v1/summary/phu-sa/2026-11-24",
        "/api/v1/summary/phu-sa/2026-11-24?format=xlsx",
        "/api/v1/summary/phu-sa/2026-11",
        // A day without anybody's figures is nobody's business.
        "/api/v1/summary/phu-sa/2026-11-20",
    ] {
        assert_eq!(get(&central, path, &supervisor).await.0, 200, "{path}");
    }
    let looks: Vec<_> = lines(&central).await;
    let looks: Vec<_> = looks
        .iter()
        .filter_map(|(person, access)| match access {
            Access::Looked { office, from, to, view } => {
                Some((person.as_str(), office.as_str(), from.to_string(), to.to_string(), *view))
            }
            _ => None,
        })
        .collect();
    let day = "2026-11-24".to_owned();
    let (first, last) = ("2026-11-01".to_owned(), "2026-11-30".to_owned());
    let who = "supervisor-phu-sa";
    assert_eq!(
        looks,
        [
            (who, OFFICES[0], day.clone(), day.clone(), View::Data),
            (who, OFFICES[0], day.clone(), day, View::File),
            (who, OFFICES[0], first, last, View::Data),
        ],
        "the same look again within the hour is one"
    );
    central.clock.set(at("2026-11-25 15:01"));
    assert_eq!(get(&central, "/api/v1/summary/phu-sa/2026-11-24", &supervisor).await.0, 200);
    let office = OFFICES[0].parse().unwrap();
    let seen = central.store().looks(&office, at("2026-11-25 00:00").date(), 9).await.unwrap();
    assert_eq!(seen.len(), 4);

    let cookie = central.cookie_of(official.clone()).await;
    let page = format!("http://{}/own/2026-11", central.staff);
    let reply = client().unwrap().get(page).header(COOKIE, &cookie).send().await.unwrap();
    let page = reply.text().await.unwrap();
    assert!(page.contains("Trần Thị Mận") && page.contains("tải tệp về"), "{page}");

    // Made anew from the journals, they are the same.
    let rebuilt = central.central.rebuild().await.unwrap().unwrap();
    assert_eq!((rebuilt.differ, rebuilt.unread.len()), (0, 0), "{:?}", rebuilt.rows);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_official_sees_their_own_row_a_day_late_and_no_more_than_is_published() {
    let central = two_offices().await;
    let supervisor = central.token(Role::Supervisor).await;
    let (_, summary) = get(&central, "/api/v1/summary/phu-sa/2026-11-24", &supervisor).await;
    let published = summary["by_official"].as_array().unwrap();
    assert!(!published.is_empty());
    for row in published {
        let id = row["id"].as_str().unwrap().parse().unwrap();
        let standing = Standing::official(OFFICES[0].parse().unwrap(), id);
        let login: Login = format!("of-{}", row["id"].as_str().unwrap()).parse().unwrap();
        let account = new_account(login.clone(), "Cán bộ", standing, central.central.now());
        central.store().add_account(account, CONSOLE.to_owned()).await.unwrap();
        let now = central.central.now();
        let (token, text) = draw_token(now, login, "x", vec![Right::OwnFigures], 9);
        central.store().keep_token(token).await.unwrap();
        let (status, own) = get(&central, "/api/v1/own/2026-11-24", &text).await;
        assert_eq!((status, &own["figures"]), (200, row), "{own}");
        assert_eq!(own["digest"], summary["digest"]);
        // Today is not over, and a month is seen up to yesterday.
        assert_eq!(get(&central, "/api/v1/own/2026-11-25", &text).await.0, 404);
        assert_eq!(get(&central, "/api/v1/own/2026-11", &text).await.1["to"], "2026-11-24");
    }
}

fn named<'a>(cookies: &'a [String], name: &str) -> &'a str {
    cookies.iter().find(|cookie| cookie.starts_with(name)).expect("a cookie")
}

const SENTENCE: &str = "con mèo trèo cây cau";

#[tokio::test(flavor = "multi_thread")]
async fn the_first_administrator_begins_by_a_link_that_works_once_and_hands_over_accounts() {
    let central = two_offices().await;
    let path = central.central.first_link().await.unwrap().expect("nobody is here yet");
    // A link that was made anew takes the place of the one before.
    let newer = central.central.first_link().await.unwrap().unwrap();
    let here = central.account(Standing::new(Role::Supervisor, unit(OFFICES[0]))).await;
    let taken =
        [("name", "Ai đó"), ("login", here.as_str()), ("password", SENTENCE), ("again", SENTENCE)];
    let (status, _, page) = send(&central, &newer, "", &taken).await;
    assert!(
        status == 422 && page.contains("đã có người dùng"),
        "not as somebody who is here: {page}"
    );
    let fields = [("name", "Lê Văn Quang"), ("login", "quan-tri"), ("password", SENTENCE)];
    let with = |again: &'static str| [&fields[..], &[("again", again)]].concat();
    assert_eq!(send(&central, &path, "", &with(SENTENCE)).await.0, 404);
    let (status, _, page) = send(&central, &newer, "", &with("con mèo")).await;
    assert!(status == 422 && page.contains("chưa giống nhau"), "{page}");
    assert!(
        page.contains("Lê Văn Quang") && !page.contains("trèo"),
        "what was typed, but no password"
    );
    let (status, cookies, _) = send(&central, &newer, "", &with(SENTENCE)).await;
    assert_eq!(status, 303);
    let cookie = named(&cookies, SESSION).to_owned();
    assert_eq!(send(&central, &newer, "", &with(SENTENCE)).await.0, 404, "once");
    assert_eq!(central.central.first_link().await.unwrap(), None);

    // An account for a supervisor of one office.
    let form = form_of(&central, &cookie).await;
    let add = [
        ("form", form.as_str()),
        ("do", "add"),
        ("name", "Đỗ Thị Hằng"),
        ("login", "hang"),
        ("role", "supervisor"),
        ("office", "phu-sa"),
    ];
    let (status, _, page) = send(&central, "/accounts", &cookie, &add).await;
    assert_eq!(status, 200, "{page}");
    let (_, rest) = page.split_once("href=\"/invited/").expect("a link");
    let link = format!("/invited/{}", rest.split('"').next().unwrap());
    let (status, _, page) = send(&central, "/accounts", &cookie, &add).await;
    assert!(status == 422 && page.contains("đã có người dùng"), "{page}");
    // Nobody signs in before a password is set.
    let sign_in = |password| [("login", "hang"), ("password", password), ("next", "/")];
    assert_eq!(send(&central, "/sign-in", "", &sign_in("")).await.0, 401);
    let set = [("password", "hoa sen nở tháng sáu"), ("again", "hoa sen nở tháng sáu")];
    assert_eq!(send(&central, &link, "", &set).await.0, 303);
    let (status, cookies, _) =
        send(&central, "/sign-in", "", &sign_in("hoa sen nở tháng sáu")).await;
    assert_eq!(status, 303);
    let hers = named(&cookies, SESSION).to_owned();
    assert!(form_of(&central, &hers).await != form, "forms of a session are its own");

    // Closed, she is out at once.
    let close = [("form", form.as_str()), ("do", "close"), ("login", "hang")];
    assert_eq!(send(&central, "/accounts", &cookie, &close).await.0, 200);
    let address = format!("http://{}/account", central.staff);
    let reply = client().unwrap().get(address).header(COOKIE, &hers).send().await.unwrap();
    assert_eq!(reply.status(), 401);
    let own = [("form", form.as_str()), ("do", "close"), ("login", "quan-tri")];
    assert_eq!(send(&central, "/accounts", &cookie, &own).await.0, 422, "not one's own");

    let told: Vec<String> = lines(&central)
        .await
        .iter()
        .map(|(person, access)| {
            let access = serde_json::to_value(access).unwrap();
            format!(
                "{person} {} {}",
                access["what"].as_str().unwrap(),
                access["login"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "console granted supervisor-phu-sa",
            "console granted quan-tri",
            "quan-tri password_set quan-tri",
            "quan-tri granted hang",
            "quan-tri invited hang",
            "hang password_set hang",
            "quan-tri closed hang",
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_of_an_office_gives_nothing_that_reaches_further() {
    let central = two_offices().await;
    let own = Standing::new(Role::Administrator, unit(OFFICES[0]));
    let cookie = central.cookie_of(own).await;
    central.account(Standing::new(Role::Supervisor, unit(OFFICES[1]))).await;
    central.account(Standing::new(Role::Auditor, Unit::PROVINCE)).await;
    let form = form_of(&central, &cookie).await;
    for (role, office, official) in [
        ("administrator", "", ""),
        ("supervisor", "", ""),
        ("supervisor", "dong-tien", ""),
        ("reader", "", ""),
        ("official", "", "dong-tien/cb01"),
        ("official", "", "phu-sa/nobody"),
        ("king", "phu-sa", ""),
    ] {
        let add = [
            ("form", form.as_str()),
            ("do", "add"),
            ("name", "Ai đó"),
            ("login", "ai-do"),
            ("role", role),
            ("office", office),
            ("official", official),
        ];
        let (status, _, page) = send(&central, "/accounts", &cookie, &add).await;
        assert_eq!(status, 422, "{role} {office} {official}: {page}");
    }
    assert!(central.store().account(&"ai-do".parse().unwrap()).await.unwrap().is_none());
    for login in ["supervisor-dong-tien", "auditor-tinh", "nobody"] {
        for act in ["link", "close", "factor"] {
            let fields =
                [("form", form.as_str()), ("do", act), ("login", login), ("role", "supervisor")];
            let (status, _, page) = send(&central, "/accounts", &cookie, &fields).await;
            assert_eq!(status, 404, "{act} {login}: {page}");
        }
    }
    let address = format!("http://{}/accounts", central.staff);
    let reply = client().unwrap().get(address).header(COOKIE, &cookie).send().await.unwrap();
    let page = reply.text().await.unwrap();
    assert!(page.contains("administrator-phu-sa"));
    assert!(!page.contains("dong-tien") && !page.contains("auditor-tinh"), "{page}");
}

/// An account with a password, and its login.
async fn with_password(central: &TestCentral) -> Login {
    let login = central.account(Standing::new(Role::Supervisor, Unit::PROVINCE)).await;
    let now = central.central.now();
    let path = invite(central.store(), Some(login.clone()), CONSOLE.to_owned(), now).await.unwrap();
    let set = [("password", SENTENCE), ("again", SENTENCE)];
    assert_eq!(send(central, &path, "", &set).await.0, 303);
    login
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_slow_down_strangers_and_not_whoever_signed_in_here_before() {
    let central = two_offices().await;
    let login = with_password(&central).await;
    let typed =
        |password| [("login", login.as_str()), ("password", password), ("next", "/account")];
    let (status, cookies, _) = send(&central, "/sign-in", "", &typed(SENTENCE)).await;
    assert_eq!(status, 303);
    let browser = named(&cookies, BROWSER).to_owned();
    for _ in 0..4 {
        let (status, _, page) = send(&central, "/sign-in", "", &typed("con mèo trèo cây me")).await;
        assert!(status == 401 && page.contains("chưa đúng"), "{page}");
    }
    // Nobody is signed in by a form of another site.
    let address = format!("http://{}/sign-in", central.staff);
    let body = format!("login={login}&password={SENTENCE}").replace(' ', "%20");
    let request = client().unwrap().post(address).body(body).header("accept", "text/html");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let reply = request.header("sec-fetch-site", "cross-site").send().await.unwrap();
    assert!(reply.status() == 403 && !reply.headers().contains_key(SET_COOKIE), "{reply:?}");
    // A stranger waits now, even with the right password; whoever knows the browser does not.
    let (status, _, page) = send(&central, "/sign-in", "", &typed(SENTENCE)).await;
    assert!(status == 429 && page.contains("sau 1 phút"), "{page}");
    assert_eq!(send(&central, "/sign-in", &browser, &typed(SENTENCE)).await.0, 303);
    let forged = format!("{BROWSER}={}", "0".repeat(96));
    assert_eq!(send(&central, "/sign-in", &forged, &typed(SENTENCE)).await.0, 429);
    central.clock.set(at("2026-11-25 14:01"));
    assert_eq!(send(&central, "/sign-in", "", &typed(SENTENCE)).await.0, 303);
    // A login that there is not is answered as one that there is, and slowed down as one.
    let nobody = [("login", "nobody"), ("password", SENTENCE)];
    for _ in 0..4 {
        let (status, _, page) = send(&central, "/sign-in", "", &nobody).await;
        assert!(status == 401 && page.contains("chưa đúng"), "{page}");
    }
    assert_eq!(send(&central, "/sign-in", "", &nobody).await.0, 429);
    // Many at once are no more tries than one after the other.
    central.clock.set(at("2026-11-25 16:00"));
    let wrong = typed("con mèo trèo cây me");
    let tries = (0..12).map(|_| send(&central, "/sign-in", "", &wrong));
    let all = futures_util::future::join_all(tries).await;
    let judged = all.iter().filter(|(status, ..)| *status == 401).count();
    assert!((4..=5).contains(&judged), "{judged} were judged: four, and one beside");
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_untouched_after_two_hours_and_all_of_them_with_a_new_password() {
    let central = two_offices().await;
    let login = with_password(&central).await;
    let typed = [("login", login.as_str()), ("password", SENTENCE)];
    let signed_in = async || {
        let (_, cookies, _) = send(&central, "/sign-in", "", &typed).await;
        named(&cookies, SESSION).to_owned()
    };
    let status = async |cookie: &str| {
        let address = format!("http://{}/account", central.staff);
        let reply = client().unwrap().get(address).header(COOKIE, cookie).send().await.unwrap();
        reply.status().as_u16()
    };
    let one = signed_in().await;
    for (time, open) in [("15:59", 200), ("17:58", 200), ("19:59", 401)] {
        central.clock.set(at(&format!("2026-11-25 {time}")));
        assert_eq!(status(&one).await, open, "{time}");
    }
    // However often it is used, not for longer than half a day.
    let long = signed_in().await;
    for hour in [21, 22, 23] {
        central.clock.set(at(&format!("2026-11-25 {hour}:30")));
        assert_eq!(status(&long).await, 200);
    }
    for (hour, open) in [(1, 200), (3, 200), (5, 200), (7, 200), (8, 401)] {
        central.clock.set(at(&format!("2026-11-26 0{hour}:00")));
        assert_eq!(status(&long).await, open, "{hour}");
    }
    let (here, there) = (signed_in().await, signed_in().await);
    let form = form_of(&central, &here).await;
    let change = |current: &'static str| {
        let new = "hoa sen nở tháng sáu";
        [
            ("form", form.as_str()),
            ("do", "password"),
            ("current", current),
            ("password", new),
            ("again", new),
        ]
    };
    let (code, _, page) = send(&central, "/account", &here, &change("con mèo trèo cây")).await;
    assert!(code == 422 && page.contains("chưa đúng"), "{page}");
    assert_eq!(status(&there).await, 200);
    assert_eq!(send(&central, "/account", &here, &change(SENTENCE)).await.0, 200);
    assert_eq!((status(&here).await, status(&there).await), (200, 401));
    assert_eq!(send(&central, "/sign-in", "", &typed).await.0, 401, "the old one");
    // Signing out ends it, wherever its cookie went.
    assert_eq!(send(&central, "/sign-out", &here, &[("form", form.as_str())]).await.0, 303);
    assert_eq!(status(&here).await, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_factor_is_asked_for_and_no_code_is_taken_twice() {
    let central = two_offices().await;
    let login = with_password(&central).await;
    let sign_in = async |code: &str| {
        let typed = [("login", login.as_str()), ("password", SENTENCE), ("code", code)];
        send(&central, "/sign-in", "", &typed).await
    };
    let (_, cookies, _) = sign_in("").await;
    let cookie = named(&cookies, SESSION).to_owned();
    let form = form_of(&central, &cookie).await;
    let account = async |fields: &[(&str, &str)]| {
        let all = [&[("form", form.as_str())], fields].concat();
        send(&central, "/account", &cookie, &all).await
    };
    let (_, _, page) = account(&[("do", "factor")]).await;
    let (_, rest) = page.split_once("name=\"sealed\" value=\"").expect("a sealed secret");
    let sealed = rest.split('"').next().unwrap().to_owned();
    let shared = Shared::open(&central.central.keys.factors, &login, &sealed).unwrap();
    let by_hand = shared.by_hand();
    assert!(page.contains(&by_hand) && page.contains("<svg class=\"qr\""), "{page}");
    // What the app on a phone shows.
    let secret = totp_rs::Secret::try_from_base32(by_hand.replace(' ', "")).unwrap();
    let app = totp_rs::Builder::new().with_secret(secret).build().unwrap();
    let code_at = |second: i64| app.generate(second as u64).to_string();
    let now = central.central.now().timestamp().as_second();
    let right = code_at(now);
    let wrong = if right == "000000" { "000001" } else { "000000" };
    let confirm = [("do", "confirm"), ("sealed", sealed.as_str()), ("current", SENTENCE)];
    let (status, _, page) = account(&[&confirm[..], &[("code", wrong)]].concat()).await;
    assert!(status == 422 && page.contains(&by_hand), "the same one, to try again: {page}");
    let unknown = [("do", "confirm"), ("sealed", sealed.as_str()), ("current", "hoa sen nở")];
    let (status, _, page) = account(&[&unknown[..], &[("code", &right)]].concat()).await;
    assert!(status == 422 && page.contains(&by_hand), "not by whoever finds a session: {page}");
    let (status, _, page) = account(&[&confirm[..], &[("code", &right)]].concat()).await;
    assert_eq!(status, 200, "{page}");
    let recovery: Vec<String> = page
        .split_once("<ul class=\"recovery\">")
        .expect("codes for paper")
        .1
        .split("<li>")
        .skip(1)
        .map(|rest| rest.split('<').next().unwrap().to_owned())
        .collect();
    assert_eq!(recovery.len(), 8);
    let (status, _, page) = account(&[&confirm[..], &[("code", &right)]].concat()).await;
    assert!(
        status == 422 && !page.contains("class=\"recovery\""),
        "not in the place of one: {page}"
    );

    let (status, _, page) = sign_in("").await;
    assert!(status == 401 && page.contains("đã bật xác thực hai lớp"), "{page}");
    assert_eq!(sign_in(&right).await.0, 401, "the code that turned it on is used");
    assert_eq!(sign_in(wrong).await.0, 401);
    central.clock.set(at("2026-11-25 14:01"));
    let next = code_at(central.central.now().timestamp().as_second());
    assert_eq!(sign_in(&next).await.0, 303);
    assert_eq!(sign_in(&next).await.0, 401, "each once");
    assert_eq!(sign_in(&recovery[3].to_lowercase()).await.0, 303);
    central.clock.set(at("2026-11-25 14:10"));
    assert_eq!(sign_in(&recovery[3]).await.0, 401, "each once");
    // A link to set a password is no way around it.
    let now = central.central.now();
    let path = invite(central.store(), Some(login.clone()), CONSOLE.to_owned(), now).await.unwrap();
    let set = [("password", SENTENCE), ("again", SENTENCE)];
    let (status, cookies, _) = send(&central, &path, "", &set).await;
    assert_eq!((status, cookies.len()), (303, 0), "led to sign in");
    // Nothing of it lies in the database to be read.
    let file = central.folder.path().join("central.db");
    let bytes = [
        std::fs::read(&file).unwrap(),
        std::fs::read(file.with_extension("db-wal")).unwrap_or_default(),
    ]
    .concat();
    let text = String::from_utf8_lossy(&bytes);
    for secret in [SENTENCE, &by_hand.replace(' ', ""), &recovery[0], &cookie[SESSION.len() + 1..]]
    {
        assert!(!text.contains(secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_does_what_it_was_made_for_until_its_last_day() {
    let central = two_offices().await;
    let cookie = central.cookie(Role::Administrator).await;
    let form = form_of(&central, &cookie).await;
    let make = async |rights: &[(&str, &str)], days: &str| {
        let all =
            [("form", form.as_str()), ("do", "token"), ("name", "báo cáo tháng"), ("days", days)];
        send(&central, "/account", &cookie, &[&all[..], rights].concat()).await
    };
    for (rights, days) in
        [(&[][..], "9"), (&[("right_figures", "1")], "367"), (&[("right_accounts", "1")], "9")]
    {
        assert_eq!(make(rights, days).await.0, 422, "{rights:?} {days}");
    }
    let (status, _, page) = make(&[("right_figures", "1"), ("right_archive", "1")], "9").await;
    assert_eq!(status, 200, "{page}");
    let (_, rest) = page.split_once("<p class=\"secret\">").expect("a token");
    let token = rest.split('<').next().unwrap().to_owned();
    assert!(token.starts_with("hl_"), "{token}");
    assert_eq!(make(&[("right_figures", "1")], "9").await.0, 422, "a name of its own");
    let status = async |path: &str, token: &str| get(&central, path, token).await.0;
    let day = "/api/v1/summary/phu-sa/2026-11-24";
    assert_eq!(status(day, &token).await, 200);
    assert_eq!(status("/api/v1/kiosks", &token).await, 403, "not what its holder may besides");
    assert_eq!(status("/api/v1/export", &token).await, 403, "nor what its holder may not");
    assert_eq!(status(day, &token[3..]).await, 401);
    assert_eq!(status(day, &format!("{token}x")).await, 401);
    // Another one is ended before its time.
    let all = [("form", form.as_str()), ("do", "token"), ("name", "khác"), ("days", "9")];
    let fields = [&all[..], &[("right_figures", "1")]].concat();
    let (_, _, page) = send(&central, "/account", &cookie, &fields).await;
    let (_, rest) = page.split_once("<p class=\"secret\">").expect("a token");
    let other = rest.split('<').next().unwrap().to_owned();
    assert_eq!(status(day, &other).await, 200);
    let end = [("form", form.as_str()), ("do", "end_token"), ("name", "khác")];
    assert_eq!(send(&central, "/account", &cookie, &end).await.0, 200);
    assert_eq!((status(day, &other).await, status(day, &token).await), (401, 200));

    central.clock.set(at("2026-12-04 23:59"));
    assert_eq!(status(day, &token).await, 200);
    central.clock.set(at("2026-12-05 00:00"));
    assert_eq!(status(day, &token).await, 401);
}

#[tokio::test]
async fn whoever_is_led_to_sign_in_is_led_back_and_never_away() {
    let central = two_offices().await;
    let login = with_password(&central).await;
    for (next, there) in [
        ("/summary/phu-sa/2026-11?lang=en", "/summary/phu-sa/2026-11?lang=en"),
        ("https://example.vn/", "/"),
        ("//example.vn/", "/"),
    ] {
        let address = format!("http://{}/sign-in", central.staff);
        let encode = |text: &str| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
        let body = format!("login={login}&password={}&next={}", encode(SENTENCE), encode(next));
        let request = client().unwrap().post(address).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let reply = request.send().await.unwrap();
        assert_eq!(reply.headers()[LOCATION], there);
        let sets = reply.headers().get_all(SET_COOKIE).iter().map(|set| set.to_str().unwrap());
        for set in sets {
            assert!(set.contains("; HttpOnly; SameSite=Lax"), "{set}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_enrols_suspends_and_retires_a_kiosk_on_its_page_and_a_supervisor_only_looks()
 {
    let central = two_offices().await;
    let cookie = central.cookie_of(Standing::new(Role::Administrator, unit(OFFICES[0]))).await;
    let form = form_of(&central, &cookie).await;
    let act = async |fields: &[(&str, &str)]| {
        let all = [&[("form", form.as_str())], fields].concat();
        send(&central, "/fleet", &cookie, &all).await
    };
    // A code for two counters of the office admits one kiosk.
    let enrol = [("do", "enrol"), ("kiosk", "PS-hall"), ("office", "phu-sa")];
    let at =
        [("counter_phu-sa/q1", "1"), ("counter_phu-sa/q2", "1"), ("counter_dong-tien/q3", "1")];
    let (status, _, page) = act(&[&enrol[..], &at].concat()).await;
    assert_eq!(status, 200, "{page}");
    let (_, rest) = page.split_once("big-code\">").expect("a code");
    let code = rest.split('<').next().unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let mut random = hailong::domain::system_random();
    let mut identity =
        hailong::kiosk::identity::Identity::load_or_create(folder.path(), &mut random).unwrap();
    hailong::kiosk::enrolment::enrol(&central.service(), code, &mut identity).await.unwrap();
    let enrolled = identity.enrolled.as_ref().unwrap();
    assert_eq!(
        (enrolled.kiosk.as_str(), enrolled.counters.to_string()),
        ("ps-hall", "q1,q2".into())
    );
    for wrong in [
        [("do", "enrol"), ("kiosk", ""), ("office", "phu-sa"), ("counter_phu-sa/q1", "1")],
        [("do", "enrol"), ("kiosk", "ps-x"), ("office", "phu-sa"), ("counter_dong-tien/q1", "1")],
        [
            ("do", "enrol"),
            ("kiosk", "ps-x"),
            ("office", "dong-tien"),
            ("counter_dong-tien/q1", "1"),
        ],
        [("do", "enrol"), ("kiosk", "ps-q3"), ("office", "phu-sa"), ("counter_phu-sa/q1", "1")],
    ] {
        assert_eq!(act(&wrong).await.0, 422, "{wrong:?}");
    }

    let standing = async || {
        let matters = central.store().matters().await.unwrap();
        let one = matters.kiosks.into_iter().find(|one| one.id.as_str() == "ps-q3").unwrap();
        (serde_json::to_value(&one.standing).unwrap(), one.confirmed)
    };
    assert_eq!(standing().await, (Value::from("in_use"), false));
    assert_eq!(act(&[("do", "confirm"), ("kiosk", "ps-q3")]).await.0, 200);
    assert!(standing().await.1);
    let why = |what| [("do", what), ("kiosk", "ps-q3"), ("reason", "màn hình vỡ")];
    assert_eq!(act(&[("do", "suspend"), ("kiosk", "ps-q3")]).await.0, 422, "why?");
    assert_eq!(act(&why("suspend")).await.0, 200);
    assert_eq!(standing().await.0, "suspended");
    assert_eq!(act(&why("resume")).await.0, 200);
    assert_eq!(standing().await.0, "in_use");
    assert_eq!(act(&why("retire")).await.0, 200);
    assert_eq!(standing().await.0["retired"]["since"], "2026-11-25");
    let matters = central.store().matters().await.unwrap();
    let last = &matters.decisions.last().unwrap().decision;
    assert_eq!(
        (last.person.as_str(), last.reason.as_str()),
        ("Trần Thị Mận (administrator-phu-sa)", "màn hình vỡ")
    );

    // Whoever may only look is shown no button, and sends in vain.
    let supervisor = central.cookie_of(Standing::new(Role::Supervisor, unit(OFFICES[0]))).await;
    let form = form_of(&central, &supervisor).await;
    let address = format!("http://{}/fleet", central.staff);
    let reply = client().unwrap().get(&address).header(COOKIE, &supervisor).send().await.unwrap();
    let page = reply.text().await.unwrap();
    assert!(page.contains("ps-hall") && !page.contains("Tạo mã đăng ký"), "{page}");
    for what in ["enrol", "suspend", "confirm"] {
        let fields = [("form", form.as_str()), ("do", what), ("kiosk", "ps-hall"), ("reason", "x")];
        assert_eq!(send(&central, "/fleet", &supervisor, &fields).await.0, 403, "{what}");
    }
    let other = central.cookie_of(Standing::new(Role::Administrator, unit(OFFICES[1]))).await;
    let form = form_of(&central, &other).await;
    let fields =
        [("form", form.as_str()), ("do", "suspend"), ("kiosk", "ps-hall"), ("reason", "x")];
    let (status, _, page) = send(&central, "/fleet", &other, &fields).await;
    assert!(status == 422 && !page.contains("class=\"kiosk"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_changed_by_whoever_manages_both_and_what_was_begun_under_it_ends() {
    let central = two_offices().await;
    let cookie = central.cookie_of(Standing::new(Role::Administrator, unit(OFFICES[0]))).await;
    let form = form_of(&central, &cookie).await;
    let supervisor = Standing::new(Role::Supervisor, unit(OFFICES[0]));
    let (theirs, token) =
        (central.cookie_of(supervisor.clone()).await, central.token_of(supervisor).await);
    let login = "supervisor-phu-sa";
    let act = async |fields: &[(&str, &str)]| {
        let all = [&[("form", form.as_str()), ("login", login)], fields].concat();
        send(&central, "/accounts", &cookie, &all).await
    };
    let standing = async || {
        let account = central.store().account(&login.parse().unwrap()).await.unwrap();
        account.unwrap().standing
    };
    let (status, _, shown) = act(&[("do", "edit")]).await;
    assert!(status == 200 && shown.contains("Đổi vai trò của Trần Thị Mận"), "{shown}");
    assert!(shown.contains("value=\"supervisor\" required checked"), "{shown}");
    // Nothing beyond what the administrator has themselves, and nothing that nobody can be.
    for (role, office, official) in [
        ("administrator", "", ""),
        ("supervisor", "dong-tien", ""),
        ("reader", "phu-sa", ""),
        ("official", "", ""),
        ("official", "", "phu-sa/cb99"),
        ("king", "phu-sa", ""),
    ] {
        let fields = [("do", "grant"), ("role", role), ("office", office), ("official", official)];
        let (status, _, said) = act(&fields).await;
        assert!(status == 422 && said.contains("Đổi vai trò của"), "{role} {office}: {said}");
    }
    assert_eq!(standing().await.role, Role::Supervisor);
    let to_official =
        [("do", "grant"), ("role", "official"), ("office", ""), ("official", "phu-sa/cb07")];
    let (status, _, said) = act(&to_official).await;
    assert!(status == 200 && said.contains("Đã đổi vai trò"), "{said}");
    assert_eq!(standing().await.role, Role::Official);
    // Neither the session nor the token goes on.
    let bearer = format!("Bearer {token}");
    let path = (Method::GET, "/api/v1/summary/phu-sa/2026-11-24".to_owned(), "", "");
    for header in [(COOKIE.as_str(), theirs.as_str()), ("authorization", bearer.as_str())] {
        assert_eq!(ask(&central, &path, header, None).await.status(), 401);
    }
    let granted = |line: &&hailong::domain::line::Line| {
        matches!(&line.access, Some(Access::Granted { login: of, standing })
            if of.as_str() == login && standing.role == Role::Official)
            && line.person.as_deref() == Some("administrator-phu-sa")
    };
    assert_eq!(central.lines().await.iter().filter(granted).count(), 1);
    // Nobody changes their own, nor one of another unit.
    let own = [
        ("do", "grant"),
        ("role", "supervisor"),
        ("office", "phu-sa"),
        ("login", "administrator-phu-sa"),
    ];
    let fields = [&[("form", form.as_str())], &own[..]].concat();
    assert_eq!(send(&central, "/accounts", &cookie, &fields).await.0, 422);
    central.cookie_of(Standing::new(Role::Supervisor, unit(OFFICES[1]))).await;
    let other = [("do", "edit"), ("login", "supervisor-dong-tien")];
    let fields = [&[("form", form.as_str())], &other[..]].concat();
    assert_eq!(send(&central, "/accounts", &cookie, &fields).await.0, 404);
}
