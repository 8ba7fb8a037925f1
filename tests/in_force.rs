//! A kiosk's configuration: asked for, believed only when signed and usable, kept for weeks without a
//! network.

mod common;

use std::sync::{Arc, Mutex};

use axum::http::StatusCode;
use axum::routing::get;
use common::{TestCentral, TestKiosk, at, sample_config};
use hailong::central::configuration::of;
use hailong::domain::configuration::Configuration;
use hailong::domain::ids::CounterId;
use hailong::kiosk::configuration::{ConfigurationError, Follower, InForce};
use hailong::kiosk::network::Network;
use hailong::texts::Texts;

fn texts() -> Vec<Texts> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("kiosk-config/texts");
    vec![Texts::read(&folder.join("vi.toml")).unwrap()]
}

fn open(kiosk: &TestKiosk) -> Follower {
    Follower::open(&kiosk.path(), &kiosk.identity, texts()).unwrap()
}

fn now(follower: &Follower) -> InForce {
    follower.in_force().borrow().clone()
}

fn on_shift(in_force: &InForce) -> Option<String> {
    let counter: CounterId = "q3".parse().unwrap();
    let morning = at("2026-11-24 08:15").civil();
    let official = in_force.enrolled.directory.on_shift(&counter, morning);
    official.map(|official| official.name.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn another_roster_reaches_the_kiosk_and_stays_there_without_a_network() {
    let central = TestCentral::start_at(at("2026-11-24 08:15")).await;
    let kiosk = central.kiosk("q3").await;
    let mut follower = open(&kiosk);
    assert_eq!(now(&follower).texts.len(), 1, "its own");
    let network = Network::to(&central.service());
    assert!(follower.look(&network).await.unwrap());
    assert_eq!(now(&follower).texts, sample_config().texts, "those of the service");
    assert!(!follower.look(&network).await.unwrap(), "nothing else has come");

    // Another official at the counter, another name of it, another form.
    let mut config = sample_config();
    let office = &mut config.offices[0];
    let other = office.officials.iter().find(|one| one.name != on_shift(&now(&follower)).unwrap());
    let other = other.unwrap().clone();
    for shift in office.roster.iter_mut().filter(|shift| shift.counter.as_str() == "q3") {
        shift.official = other.id.clone();
    }
    office.office.form = "ba-muc".into();
    let central = central.again_with(config).await;
    let network = Network::to(&central.service());
    let mut changes = follower.in_force();
    changes.mark_unchanged();
    assert!(follower.look(&network).await.unwrap());
    assert!(changes.has_changed().unwrap());
    for in_force in [now(&follower), now(&open(&kiosk))] {
        assert_eq!(on_shift(&in_force), Some(other.name.clone()));
        assert_eq!(in_force.enrolled.directory.office.form, "ba-muc");
        assert!(in_force.enrolled.forms.iter().all(|form| form.code == "ba-muc"));
    }
    assert!(!open(&kiosk).look(&network).await.unwrap(), "what is kept is not sent again");

    // Whoever enrols anew begins anew.
    Follower::forget(&kiosk.path()).unwrap();
    assert_ne!(on_shift(&now(&open(&kiosk))), Some(other.name));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_kiosk_itself_is_told() {
    let central = TestCentral::start_at(at("2026-11-24 08:15")).await;
    let kiosk = central.kiosk("q3").await;
    let mut stranger = central.kiosk("q5").await;
    stranger.identity.enrolled = kiosk.identity.enrolled.clone();
    let network = Network::to(&central.service());
    let refused = open(&stranger).look(&network).await.unwrap_err();
    assert!(matches!(&refused, ConfigurationError::Refused(why) if why.contains("not signed")));
    let nobody = hailong::kiosk::network::client().unwrap();
    let address = network.address("/api/v1/configuration/ps-q3");
    assert_eq!(nobody.get(address).send().await.unwrap().status().as_u16(), 401);
}

/// A service that answers what it is told.
async fn answering(what: Arc<Mutex<(Vec<u8>, String)>>) -> Network {
    let reply = move || {
        let (body, signature) = what.lock().unwrap().clone();
        async move { (StatusCode::OK, [("hailong-signature", signature)], body) }
    };
    let app = axum::Router::new().route("/api/v1/configuration/{kiosk}", get(reply));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    Network::to(&format!("http://{address}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_configuration_is_refused_and_the_last_good_one_stays() {
    let central = TestCentral::start_at(at("2026-11-24 08:15")).await;
    let kiosk = central.kiosk("q3").await;
    let of_other = central.kiosk("q5").await.identity.enrolled.unwrap().kiosk;
    let mut follower = open(&kiosk);
    assert!(follower.look(&Network::to(&central.service())).await.unwrap());
    let good = now(&follower);
    let admitted = central.central.kiosk(&good.enrolled.kiosk).await.unwrap().unwrap();
    let right = of(&central.central, &admitted).unwrap();
    let key = &central.central.keys.receipt;
    let signed = |configuration: &Configuration| {
        let body = serde_json::to_vec(configuration).unwrap();
        let signature = Configuration::sign(key, &body);
        (body, signature)
    };
    let changed = |change: &dyn Fn(&mut Configuration)| {
        let mut other = right.clone();
        change(&mut other);
        signed(&other)
    };
    let bent = {
        let (body, signature) = signed(&right);
        let text = String::from_utf8(body).unwrap().replace("Thanh Lan", "Thanh Lam");
        (text.into_bytes(), signature)
    };
    let of_a_receipt = {
        let (body, _) = signed(&right);
        let signature = hailong::domain::receipt::sign_receipt(key, &body);
        (body, signature)
    };
    let rubbish = (b"{}".to_vec(), Configuration::sign(key, b"{}"));
    let what = Arc::new(Mutex::new(bent.clone()));
    let network = answering(Arc::clone(&what)).await;
    for (answer, why) in [
        (bent, "not signed by the central service"),
        (of_a_receipt, "not signed by the central service"),
        (rubbish, "cannot be read"),
        (changed(&|other| other.kiosk = of_other.clone()), "it is for ps-q5"),
        (changed(&|other| other.counters = "q99".parse().unwrap()), "no counter q99"),
        (changed(&|other| other.forms.clear()), "no form nam-muc"),
        (changed(&|other| other.forms[0].levels.clear()), "no form nam-muc"),
        ((vec![b' '; 5 << 20], String::new()), "too large"),
    ] {
        *what.lock().unwrap() = answer;
        let refused = follower.look(&network).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{why}: {refused}");
        assert_eq!(now(&follower), good);
        assert_eq!(now(&open(&kiosk)), good, "nor is it kept");
    }
    // Texts of another version are left out; all else is used.
    let newer = changed(&|other| {
        other.texts = vec![serde_json::json!({"language": "vi", "sung": "La la"})];
        other.public_url = "HTTPS://NOI-KHAC.VN".into();
    });
    *what.lock().unwrap() = newer;
    assert!(follower.look(&network).await.unwrap());
    assert_eq!(now(&follower).texts, good.texts);
    assert_eq!(now(&follower).enrolled.public_url, "HTTPS://NOI-KHAC.VN");

    // A file that somebody bent is not used either.
    let file = kiosk.path().join("configuration.json");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("NOI-KHAC", "NOI-KIA")).unwrap();
    assert_eq!(now(&open(&kiosk)).enrolled.public_url, kiosk.identity.enrolled.unwrap().public_url);
}
