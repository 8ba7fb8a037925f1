//! Pages of the staff's, asked for and filled in as a browser does.

use hailong::kiosk::network::client;
use reqwest::header::{COOKIE, SET_COOKIE};

use super::TestCentral;

/// What the forms of a session carry, as its own page has it.
pub async fn form_of(central: &TestCentral, cookie: &str) -> String {
    let address = format!("http://{}/account", central.staff);
    let reply = client().unwrap().get(address).header(COOKIE, cookie).send().await.unwrap();
    let page = reply.text().await.unwrap();
    let (_, rest) = page.split_once("name=\"form\" value=\"").expect("a form");
    rest[..64].to_owned()
}

/// A page as whoever signed in sees it.
pub async fn page(central: &TestCentral, path: &str, cookie: &str) -> (u16, String) {
    let address = format!("http://{}{path}", central.staff);
    let request = client().unwrap().get(address).header(COOKIE, cookie);
    let reply = request.header("accept", "text/html").send().await.unwrap();
    let status = reply.status().as_u16();
    (status, reply.text().await.unwrap().replace("&#x2f;", "/"))
}

/// A form that is sent by a browser.
pub async fn send(
    central: &TestCentral,
    path: &str,
    cookie: &str,
    fields: &[(&str, &str)],
) -> (u16, Vec<String>, String) {
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let body: Vec<String> =
        fields.iter().map(|(name, value)| format!("{name}={}", encode(value))).collect();
    let address = format!("http://{}{path}", central.staff);
    let request = client().unwrap().post(address).header(COOKIE, cookie);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let reply = request.header("accept", "text/html").body(body.join("&")).send().await.unwrap();
    let cookies = reply.headers().get_all(SET_COOKIE).iter();
    let cookies = cookies.map(|set| set.to_str().unwrap().split(';').next().unwrap().to_owned());
    let (status, cookies) = (reply.status().as_u16(), cookies.collect());
    (status, cookies, reply.text().await.unwrap().replace("&#x2f;", "/"))
}
