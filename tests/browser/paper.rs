//! Reports on paper: what a browser prints, read back from the PDF.
//!
//! HAILONG_SHOTS=FOLDER keeps the PDF and a picture of each of its pages there.

use std::path::Path;
use std::process::Command;

use hailong::domain::access::{Role, Standing};
use serde_json::{Value, json};

use crate::common::golden::is_golden;
use crate::common::{TestCentral, has};
use crate::driver::Browser;
use crate::staff::{before_the_day, complete};

/// A4 in points, and how far a browser rounds.
const A4: [f64; 2] = [595.0, 842.0];

/// The open page as a browser prints it, in black and white, once its letters are there: the file,
/// and its words in the order of the page. They are held against what was accepted, wherever a
/// browser breaks its lines.
async fn printed(browser: &Browser, folder: &Path, name: &str) -> (String, String) {
    browser.ask("return document.fonts.ready.then(() => true)").await;
    let how = json!({ "printBackground": false, "preferCSSPageSize": true });
    let answer = browser.command("Page.printToPDF", how).await;
    let bytes = answer["data"].as_str().unwrap().as_bytes();
    let file = folder.join(format!("{name}.pdf"));
    std::fs::write(&file, data_encoding::BASE64.decode(bytes).unwrap()).unwrap();
    let file = file.to_str().unwrap().to_owned();
    let text = told("pdftotext", &["-raw", &file, "-"]);
    let words: Vec<&str> = text.split_whitespace().collect();
    let lines: Vec<String> = words.chunks(16).map(|line| line.join(" ")).collect();
    is_golden(&format!("{name}.txt"), &(lines.join("\n") + "\n"));
    if std::env::var_os("HAILONG_SHOTS").is_some() {
        told("pdftoppm", &["-r", "70", "-png", &file, file.trim_end_matches(".pdf")]);
    }
    (file, words.join(" "))
}

fn told(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn summary(central: &TestCentral, day: &str) -> Value {
    let token = central.token(Role::Supervisor).await;
    let address = format!("http://{}/api/v1/summary/phu-sa/{day}", central.staff);
    let reply = reqwest::Client::new().get(address).bearer_auth(token).send().await.unwrap();
    serde_json::from_slice(&reply.bytes().await.unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_day_is_printed_as_a_report_on_a4_with_the_digits_of_its_page() {
    if !has("pdftotext") || !has("pdfinfo") {
        return;
    }
    let Some(browser) = Browser::start().await else { return };
    let (central, mut counters) = before_the_day().await;
    complete(&central, &mut counters).await;
    let path = central.link(Role::Supervisor).await;
    browser.open(&format!("http://{}{path}", central.staff)).await;
    let folder = tempfile::TempDir::new().unwrap();
    let kept = std::env::var_os("HAILONG_SHOTS").map(std::path::PathBuf::from);
    let folder = kept.as_deref().unwrap_or(folder.path());
    let of = summary(&central, "2026-11-24").await;
    for language in ["vi", "en"] {
        let day = format!("http://{}/summary/phu-sa/2026-11-24?lang={language}", central.staff);
        browser.open(&day).await;
        let (file, words) = printed(&browser, folder, &format!("report-{language}")).await;
        let about = told("pdfinfo", &[&file]);
        let value = |key: &str| {
            let line = about.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_once(':').unwrap().1.trim().to_owned()
        };
        let size: Vec<f64> =
            value("Page size").split(' ').filter_map(|part| part.parse().ok()).collect();
        assert!(size.iter().zip(A4).all(|(is, should)| (is - should).abs() < 1.5), "{size:?}");
        // A day with as many things to look at again as this one.
        assert!(value("Pages").parse::<u32>().unwrap() <= 4, "{about}");
        let head: &[&str] = if language == "vi" {
            &[
                "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
                "Độc lập - Tự do - Hạnh phúc",
                "ngày 25 tháng 11 năm 2026",
                "BÁO CÁO",
                "NGƯỜI TỔNG HỢP",
                "THỦ TRƯỞNG ĐƠN VỊ",
            ]
        } else {
            &["SOCIALIST REPUBLIC OF VIET NAM", "REPORT", "HEAD OF OFFICE"]
        };
        for one in head {
            assert!(words.contains(one), "{one} is not on the paper: {words}");
        }
        // Who served, how many, at which rate, and the digest that names all of it.
        let percent = format!("{:.1}%", of["rate"].as_f64().unwrap() * 100.0);
        let percent = if language == "vi" { percent.replace('.', ",") } else { percent };
        let whole = words.replace(' ', "");
        assert!(words.contains(&percent), "{percent}: {words}");
        let digest = of["digest"].as_str().unwrap().to_uppercase();
        assert!(whole.contains(&digest), "{digest}: {words}");
        for row in of["by_official"].as_array().unwrap() {
            let name = row["name"].as_str().unwrap();
            assert!(words.contains(name), "{name}: {words}");
        }
        // What is pressed has no place on paper, nor has anybody's account.
        for screen in ["Trần Thị Mận", "XLSX", "Đăng xuất", "Sign out"] {
            assert!(!words.contains(screen), "{screen} is on the paper");
        }
    }
    // All offices beside each other, by the same head.
    browser.open(&format!("http://{}/offices/2026-11-24", central.staff)).await;
    let (_, words) = printed(&browser, folder, "report-offices").await;
    let percent = format!("{:.1}%", of["rate"].as_f64().unwrap() * 100.0).replace('.', ",");
    for one in ["CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", "BÁO CÁO", "của các đơn vị", &percent]
    {
        assert!(words.contains(one), "{one} is not on the paper: {words}");
    }
    for screen in ["Trần Thị Mận", "XLSX", "Đăng xuất", "Từ ngày"] {
        assert!(!words.contains(screen), "{screen} is on the paper");
    }
    // And what an official is told of themselves.
    let official = Standing::official("phu-sa".parse().unwrap(), "cb07".parse().unwrap());
    let login = central.account(official).await;
    let path = central.central.sign_ins.open_door(login);
    browser.open(&format!("http://{}{path}", central.staff)).await;
    browser.open(&format!("http://{}/own/2026-11-24", central.staff)).await;
    let (_, words) = printed(&browser, folder, "report-own").await;
    for one in ["CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", "BÁO CÁO", "đối với cán bộ"]
    {
        assert!(words.contains(one), "{one} is not on the paper: {words}");
    }
    browser.quit().await;
}
