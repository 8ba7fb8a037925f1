//! Photos of officials: from a camera's file to kiosk and phone, bounded and checked on the way.

mod common;

use std::path::Path;

use common::{TestCentral, at};
use hailong::central::config::Config;
use hailong::clock::SystemClock;
use hailong::domain::ids::Hash;
use hailong::domain::office::{Directory, PHOTO_BYTES};
use hailong::kiosk::network::{Network, client};
use hailong::kiosk::photos::{Album, Photos};
use image::{Rgb, RgbImage};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// The sample office, with a photo of cb07.
fn with_photo(folder: &Path) -> Config {
    let photo = RgbImage::from_fn(900, 1_200, |x, _| {
        if x < 450 { Rgb([190, 60, 40]) } else { Rgb([40, 60, 190]) }
    });
    photo.save(folder.join("phu-sa/lan.jpg")).unwrap();
    let file = folder.join("phu-sa/officials.csv");
    let text = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<String> = text
        .lines()
        .map(|line| match line {
            "id,name,title" => "id,name,title,photo".into(),
            line if line.starts_with("cb07,") => format!("{line},lan.jpg"),
            line if line.starts_with("cb") => format!("{line},"),
            line => line.into(),
        })
        .collect();
    std::fs::write(&file, lines.join("\n")).unwrap();
    Config::read(&folder.join("central.toml")).unwrap()
}

fn photo_of(directory: &Directory) -> Hash {
    let photos: Vec<Hash> = directory.officials.iter().filter_map(|o| o.photo).collect();
    assert_eq!(photos.len(), 1);
    photos[0]
}

#[tokio::test]
async fn a_photo_reaches_kiosk_and_phone_and_is_shown_round() {
    let folder = common::sample_folder();
    let central = TestCentral::with_config(with_photo(folder.path()), at("2026-11-24 08:15")).await;
    let mut kiosk = central.kiosk("q3").await;
    let directory = kiosk.identity.enrolled.as_ref().unwrap().directory.clone();
    let name = photo_of(&directory);
    let photos = Photos::in_folder(kiosk.folder.path());
    let stale = kiosk.folder.path().join("photos/0000.jpg");
    std::fs::create_dir_all(stale.parent().unwrap()).unwrap();
    std::fs::write(&stale, "somebody who left").unwrap();
    photos.fetch(&directory, &Network::to(&central.service()), &*central.clock).await;
    assert!(photos.has(name) && photos.arrived() == 1);
    assert!(!stale.exists(), "what nobody names is removed");

    let album = Album::of(photos.clone());
    let shown = album.picture(&name.to_string(), 101).to_rgba8().unwrap();
    assert_eq!((shown.width(), shown.height()), (101, 101));
    let pixel = |x: usize, y: usize| shown.as_slice()[y * 101 + x];
    assert_eq!((pixel(0, 0).a, pixel(100, 100).a), (0, 0), "corners are cut off");
    let (left, right) = (pixel(20, 50), pixel(80, 50));
    assert!(left.a == 255 && left.r > 150 && left.b < 80, "{left:?}");
    assert!(right.a == 255 && right.b > 150 && right.r < 80, "{right:?}");
    for missing in ["", "no hash", &Hash::of(b"another").to_string()] {
        assert_eq!(album.picture(missing, 100).size().width, 0);
    }

    // The phone's page shows it, too, once the contact's line is there.
    let mut desk = kiosk.desk();
    let counter = common::first_counter(&desk);
    let by = hailong::domain::line::By::Later;
    let open = hailong::kiosk::visit::Record::Open { by, counter, level: None };
    let kept = desk.keep(&open).unwrap();
    let ticket = kept.ticket.unwrap();
    kiosk.sent(kept.seq).await;
    let page = client().unwrap().get(ticket).send().await.unwrap().text().await.unwrap();
    let source = format!("/photo/{name}.jpg");
    assert!(page.replace("&#x2f;", "/").contains(&source), "{page}");
    let address = format!("{}{source}", central.service());
    let reply = client().unwrap().get(&address).send().await.unwrap();
    assert_eq!(reply.headers()["content-type"], "image/jpeg");
    let bytes = reply.bytes().await.unwrap();
    assert!(bytes.len() <= PHOTO_BYTES && Hash::of(&bytes) == name);
    for wrong in ["/photo/x.jpg", "/photo/..%2f..%2fkeys.json", "/photo/.jpg"] {
        let address = format!("{}{wrong}", central.service());
        assert_eq!(client().unwrap().get(address).send().await.unwrap().status(), 404);
    }
}

#[tokio::test]
async fn a_photo_that_is_not_what_its_name_says_or_too_long_is_not_kept() {
    let folder = common::sample_folder();
    let directory = with_photo(folder.path()).offices[0].clone();
    let name = photo_of(&directory);
    for (body, length) in [(b"no photo".to_vec(), 8), (vec![7; 2 * PHOTO_BYTES], 2 * PHOTO_BYTES)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let service = format!("http://{}", listener.local_addr().unwrap());
        let data = TempDir::new().unwrap();
        let photos = Photos::in_folder(data.path());
        let fetching = photos.clone();
        let fetched = directory.clone();
        let task = tokio::spawn(async move {
            let clock = SystemClock::start();
            fetching.fetch(&fetched, &Network::to(&service), &clock).await;
        });
        let (mut asked, _) = listener.accept().await.unwrap();
        let mut request = [0; 1_024];
        let _ = asked.read(&mut request).await.unwrap();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
        asked.write_all(head.as_bytes()).await.unwrap();
        // The kiosk may hang up before the end.
        let _ = asked.write_all(&body).await;
        let _ = asked.shutdown().await;
        let mut rest = Vec::new();
        // It hangs up when it has made up its mind.
        let _ = asked.read_to_end(&mut rest).await;
        assert!(!photos.has(name) && photos.arrived() == 0);
        task.abort();
    }
}

#[test]
fn a_photo_that_cannot_be_used_stops_the_start_and_is_pointed_at() {
    for (content, telling) in [
        (None, "expected the file of a photo"),
        (Some(&b"not a picture"[..]), "expected a JPEG or PNG picture"),
    ] {
        let folder = common::sample_folder();
        with_photo(folder.path());
        let photo = folder.path().join("phu-sa/lan.jpg");
        match content {
            None => std::fs::remove_file(&photo).unwrap(),
            Some(content) => std::fs::write(&photo, content).unwrap(),
        }
        let said = Config::read(&folder.path().join("central.toml")).unwrap_err().to_string();
        assert!(said.contains("officials.csv:8:") && said.contains(telling), "{said}");
    }
}
