//! A wrong configuration stops the start: the message names file, line, column and what was
//! expected, and the program ends with exit code 3.
//!
//! Each case breaks one thing of the sample configuration. `‸` stands before the letter that the
//! message has to point at.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::sample_folder;
use hailong::central::config::Config as CentralConfig;
use hailong::kiosk::config::Config as KioskConfig;
use hailong::texts::Texts;
use tempfile::TempDir;

const HERE: char = '‸';

/// Who reads a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    Kiosk,
    Central,
}

impl Reader {
    fn of(file: &str) -> Self {
        if file == "kiosk.toml" || file.starts_with("texts/") { Self::Kiosk } else { Self::Central }
    }

    fn file(self, folder: &Path) -> PathBuf {
        folder.join(if self == Self::Kiosk { "kiosk.toml" } else { "central.toml" })
    }

    /// The message, if it cannot be read.
    fn read(self, folder: &Path) -> Result<(), String> {
        let file = self.file(folder);
        match self {
            Self::Kiosk => KioskConfig::read(&file).map(|_| ()).map_err(|e| e.to_string()),
            Self::Central => CentralConfig::read(&file).map(|_| ()).map_err(|e| e.to_string()),
        }
    }
}

/// Writes `text` without its mark; gives the place that the mark stood at, as messages name it.
fn write_marked(file: &Path, text: &str) -> String {
    let (before, _) = text.split_once(HERE).expect("a mark");
    let line = before.lines().count().max(1) + usize::from(before.ends_with('\n'));
    let line = if before.is_empty() { 1 } else { line };
    let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
    std::fs::write(file, text.replace(HERE, "")).unwrap();
    format!("{}:{line}:{column}: ", file.display())
}

/// Makes `edits` to the sample's `file`: each old text stands there once.
fn break_sample(file: &str, edits: &[(&str, &str)]) -> (TempDir, String) {
    let folder = sample_folder();
    let path = folder.path().join(file);
    let mut text = std::fs::read_to_string(&path).unwrap();
    for (old, new) in edits {
        assert_eq!(text.matches(old).count(), 1, "{file}: {old:?}");
        text = text.replace(old, new);
    }
    let place = write_marked(&path, &text);
    (folder, place)
}

#[track_caller]
fn assert_points_there(file: &str, folder: &Path, place: &str, telling: &str) {
    let message = Reader::of(file).read(folder).expect_err(telling);
    assert!(message.starts_with(place), "{message}\nexpected it to begin with {place}");
    assert!(message[place.len()..].contains(telling), "{message}\nexpected to read {telling:?}");
}

/// Lines of the samples that are commented out.
const PROXY: &str = "#proxy = \"http://proxy.hungyen.gov.vn:3128\"";
const STAFF_URL: &str = "#staff_url = \"https://motcua.hungyen.gov.vn/hai-long\"";
const TLS: &str = "#citizens_tls = { certificate = \"citizens.pem\", key = \"citizens-key.pem\" }";

const LISTEN: &str = "#listen = \"127.0.0.1:8090\"";

/// What stands there, what is put in its place, and a part of the message.
type Case = (&'static str, &'static str, &'static str);

#[track_caller]
fn assert_each_points_there(file: &str, cases: &[Case]) {
    for (old, new, telling) in cases {
        let (folder, place) = break_sample(file, &[(old, new)]);
        assert_points_there(file, folder.path(), &place, telling);
    }
}

/// Takes a key away: the message points at `inside`, the table that lacks it.
#[track_caller]
fn assert_missing(file: &str, key_and_value: &str, inside: &str) {
    let marked = format!("{HERE}{inside}");
    let edits = [(inside, marked.as_str()), (key_and_value, "")];
    let (folder, place) = break_sample(file, &edits);
    let key = key_and_value.split(' ').next().unwrap();
    assert_points_there(file, folder.path(), &place, &format!("missing field `{key}`"));
}

#[test]
fn the_sample_is_read() {
    let folder = sample_folder();
    Reader::Kiosk.read(folder.path()).unwrap();
    Reader::Central.read(folder.path()).unwrap();
}

#[test]
fn a_mistake_in_the_kiosks_file_is_pointed_at() {
    assert_each_points_there(
        "kiosk.toml",
        &[
            ("full_screen =", "‸fullscreen =", "unknown field `fullscreen`, expected one of"),
            ("full_screen = true", "full_screen = ‸\"yes\"", "expected a boolean"),
            ("data = \"../kiosk-data\"", "data = ‸7", "expected"),
            ("reasons = 30", "‸reason = 30", "unknown field `reason`"),
            ("reasons = 30", "reasons = ‸\"30\"", "expected u32"),
            ("reasons = 30", "reasons = ‸2", "expected 3 to 600 seconds, found 2"),
            ("thanks = 20", "thanks = ‸601", "expected 3 to 600 seconds, found 601"),
            ("later = 60", "later = ‸-60", "expected u32"),
            ("not_kept = 15", "not_kept = ‸0", "expected 3 to 600 seconds"),
            ("#key = \"F9\"", "key = ‸\"F25\"", "expected a key from F1 to F24"),
            ("#key = \"F9\"", "key = ‸\"Enter\"", "expected a key from F1 to F24"),
            (LISTEN, "listen = ‸\"0.0.0.0:8090\"", "expected an address of this machine alone"),
            (
                LISTEN,
                "listen = ‸\"192.168.1.21:8443\"",
                "tls = { certificate = \"…\", key = \"…\" }",
            ),
            (LISTEN, "listen = ‸\"127.0.0.1\"", "and a port, such as 127.0.0.1:8090"),
            (
                LISTEN,
                "tls = ‸{ certificate = \"a.pem\", key = \"a-key.pem\" }",
                "expected listen beside it",
            ),
            (
                LISTEN,
                "listen = \"192.168.1.21:8443\"\ntls = { certificate = ‸\"a.pem\", key = \"b.pem\" }",
                "a.pem cannot be read",
            ),
            (
                LISTEN,
                "listen = \"192.168.1.21:8443\"\ntls = { certificate = ‸\"texts/vi.toml\", key = \"b.pem\" }",
                "texts/vi.toml holds no certificate",
            ),
            ("\"http://127.0.0.1:8080\"", "‸\"127.0.0.1:8080\"", "expected an address that begins"),
            ("\"texts/en.toml\"", "‸\"texts/fr.toml\"", "expected a file of texts"),
            ("\"texts/en.toml\"", "‸\"texts/vi.toml\"", "expected each language once"),
            ("[\"texts/vi.toml\", \"texts/en.toml\"]", "‸[]", "expected 1 to 4 files of texts"),
            ("\"http://127.0.0.1:8080\"", "‸\"http://::1:8080\"", "IPv6 in brackets"),
            ("\"http://127.0.0.1:8080\"", "‸\"https://a.vn/?base=b\"", "such as https://"),
            ("\"http://127.0.0.1:8080\"", "‸\"https://me:secret@a.vn\"", "such as https://"),
            ("#ca = \"hung-yen.pem\"", "ca = ‸\"hung-yen.pem\"", "hung-yen.pem cannot be read"),
            ("#ca = \"hung-yen.pem\"", "ca = ‸\"texts/vi.toml\"", "holds no certificate"),
            (PROXY, "proxy = ‸\"proxy.hungyen.gov.vn:3128\"", "expected http://host:port"),
            (PROXY, "proxy = ‸\"https://proxy.hungyen.gov.vn\"", "expected http://host:port"),
            (PROXY, "proxy = ‸\"http://may01:a/b@proxy:3128\"", "% and two hexadecimal digits"),
            ("thanks = 20", "thanks = ‸soon", "string values must be quoted"),
            ("thanks = 20", "thanks = 20\n‸thanks = 30", "duplicate key"),
        ],
    );
}

#[test]
fn a_key_that_the_kiosks_file_lacks_is_named() {
    assert_missing("kiosk.toml", "data = \"../kiosk-data\"\n", "# One kiosk.");
    assert_missing("kiosk.toml", "later = 60\n", "[time_outs]");
}

#[test]
fn a_mistake_in_the_central_services_file_is_pointed_at() {
    assert_each_points_there(
        "central.toml",
        &[
            ("public_url =", "‸public-url =", "unknown field `public-url`, expected one of"),
            (
                "\"HTTP://127.0.0.1:8080\"",
                "‸\"http://127.0.0.1:8080\"",
                "expected an address in capitals",
            ),
            (
                "\"HTTP://127.0.0.1:8080\"",
                "‸\"HTTPS://DANHGIA.TRUNGTAMPHUCVUHANHCHINHCONG.XAPHUSA.HUNGYEN.GOV.VN\"",
                "at most 60 characters",
            ),
            ("\"HTTP://127.0.0.1:8080\"", "‸\"DANHGIA.GOV.VN\"", "such as HTTPS://"),
            (
                "\"HTTP://127.0.0.1:8080\"",
                "‸\"HTTP://A.VN/DANH//GIA\"",
                "expected a path of letters",
            ),
            ("\"HTTP://127.0.0.1:8080\"", "‸\"HTTP://A.VN/DANH/../GIA\"", "expected a path of"),
            ("\"HTTP://127.0.0.1:8080\"", "‸\"HTTP://A.VN/DANH$GIA\"", "expected a path of"),
            ("\"HTTP://127.0.0.1:8080\"", "‸\"HTTP:///GIA\"", "expected an address such as"),
            ("\"127.0.0.1:8080\"", "‸\"0.0.0.0:8080\"", "set behind_proxy = true"),
            ("\"127.0.0.1:8080\"", "‸\"[::]:8080\"", "either give citizens_tls"),
            ("\"127.0.0.1:8080\"", "‸\"[2001:db8::5]:8080\"", "expected a loopback address"),
            ("\"127.0.0.1:8080\"", "‸\"[::ffff:10.0.0.5]:8080\"", "expected a loopback address"),
            ("\"127.0.0.1:8080\"", "‸\"[::ffff:0.0.0.0]:8080\"", "expected a loopback address"),
            ("\"127.0.0.1:8081\"", "‸\"192.168.1.5:8081\"", "either give staff_tls"),
            ("\"127.0.0.1:8081\"", "‸\"::1:8081\"", "socket address"),
            (STAFF_URL, "staff_url = ‸\"motcua.hungyen.gov.vn\"", "expected an address such as"),
            (STAFF_URL, "staff_url = ‸\"http://motcua.vn/hai-long\"", "the staff's secret"),
            (
                STAFF_URL,
                "staff_url = ‸\"https://motcua.vn/hài-lòng\"",
                "expected a path of letters",
            ),
            (STAFF_URL, "staff_url = ‸\"https://motcua.vn/{hai}\"", "hungyen.gov.vn/hai-long"),
            (
                STAFF_URL,
                "staff_url = ‸\"http://127.0.0.1:8080/\"",
                "another address than public_url",
            ),
            (TLS, "citizens_tls = { certificate = ‸\"no.pem\", key = \"k\" }", "cannot be read"),
            (TLS, "citizens_tls = ‸{ certificate = \"no.pem\" }", "missing field `key`"),
            (
                TLS,
                "citizens_tls = { certificate = ‸\"forms/nam-muc.toml\", key = \"k\" }",
                "holds no certificate",
            ),
            ("\"127.0.0.1:8081\"", "‸\"localhost\"", "socket address"),
            ("behind_proxy = false", "behind_proxy = ‸\"no\"", "expected a boolean"),
            ("\"forms/nam-muc.toml\"", "‸\"forms/hai-muc.toml\"", "expected the file of a form"),
            (
                "\"forms/nam-muc.toml\"",
                "\"forms/nam-muc.toml\", ‸\"forms/nam-muc.toml\"",
                "expected each form once, found nam-muc@1 again",
            ),
            ("\"texts/en.toml\"", "‸7", "expected path string"),
            ("code = \"phu-sa\"", "code = ‸\"Phù Sa\"", "1 to 32 of a-z, 0-9"),
            ("form = \"nam-muc\"", "form = ‸\"hai-muc\"", "found \"hai-muc\""),
            ("opens = \"07:30\"", "opens = ‸\"7h30\"", "hour"),
            ("closes = \"17:00\"", "closes = ‸\"07:30\"", "expected a time after opens"),
            ("closes = \"17:00\"", "closes = ‸17", "expected"),
            ("words_days = 90", "words_days = ‸0", "expected 1 to 3650 days"),
            ("answers_days = 1826", "answers_days = ‸365", "expected 366 to 36500 days"),
            (
                "keep_words_days = 90\nkeep_answers_days = 1826",
                "keep_words_days = 1000\nkeep_answers_days = ‸999",
                "no fewer than",
            ),
            ("even_ms = 500", "‸even_s = 1", "expected a threshold of a signal"),
            ("quick_ratings = 5", "quick_ratings = ‸4", "expected 5 to 1000000"),
            ("phone_percent = 50", "phone_percent = ‸0", "expected 1 to 100"),
            ("burst_seconds = 180", "burst_seconds = ‸-1", "expected u32"),
            ("directory = \"phu-sa\"", "directory = ‸\"phu-cu\"", "counters.csv, officials.csv"),
            ("directory = \"phu-sa\"", "‸folder = \"phu-sa\"", "unknown field `folder`"),
            ("[[offices]]", "[[‸office]]", "unknown field `office`"),
            (
                "directory = \"phu-sa\"",
                "directory = \"phu-sa\"\n[[offices]]\ncode = ‸\"phu-sa\"\nname = \"Khác\"\n\
                 form = \"nam-muc\"\nopens = \"07:30\"\ncloses = \"17:00\"\ndirectory = \"phu-sa\"",
                "expected a code of its own",
            ),
        ],
    );
    assert_missing("central.toml", "data = \"../central-data\"\n", "# The central service.");
    assert_missing("central.toml", "form = \"nam-muc\"\n", "[[offices]]");
}

#[test]
fn off_loopback_is_fine_behind_a_declared_proxy() {
    let folder = sample_folder();
    let file = folder.path().join("central.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let text = text
        .replace("behind_proxy = false", "behind_proxy = true")
        .replace("citizens = \"127.0.0.1:8080\"", "citizens = \"0.0.0.0:8080\"");
    std::fs::write(&file, text).unwrap();
    Reader::Central.read(folder.path()).unwrap();
}

#[test]
fn a_mistake_in_a_form_is_pointed_at() {
    assert_each_points_there(
        "forms/nam-muc.toml",
        &[
            ("code = \"nam-muc\"", "code = ‸\"Năm mức\"", "expected a name such as nam-muc"),
            ("version = 1", "version = ‸0", "a version from 1"),
            ("version = 1", "version = ‸-1", "expected u32"),
            ("\"2026-01-01\"", "‸\"1/1/2026\"", "expected 0-9"),
            ("[question]", "[‸asked]", "unknown field `asked`"),
            ("vi = \"Ông/bà có hài lòng về\\nthái", "vi = ‸\"  \" # thái", "text under the key vi"),
            ("code = \"hai_long\"", "code = ‸\"rat_hai_long\"", "expected a code of its own"),
            ("code = \"hai_long\"", "code = ‸\"hài lòng\"", "a-z, 0-9, _"),
            ("code = \"cho_lau\"", "code = ‸\"thai_do\"", "expected a code of its own"),
            ("face = 4", "face = ‸6", "expected a face from 1 to 5, found 6"),
            ("face = 4", "face = ‸\"sad\"", "expected u8"),
            (
                "label = { vi = \"Hài lòng\", en",
                "label = ‸{ en",
                "expected a text under the key vi",
            ),
            ("{ vi = \"Phải chờ lâu\", en", "‸{ en", "expected a text under the key vi"),
            (
                "code = \"niem_no\"\nabout = \"official\"",
                "code = \"niem_no\"\nabout = ‸\"police\"",
                "expected `official` or `procedure`",
            ),
            (
                "code = \"niem_no\"\nabout = \"official\"\npole = \"good\"",
                "code = \"niem_no\"\nabout = \"official\"\npole = ‸\"best\"",
                "expected one of `good`, `middle`, `bad`",
            ),
            (
                "code = \"binh_thuong\"\nsatisfied = false",
                "code = \"binh_thuong\"\nsatisfied = false\n‸colour = \"yellow\"",
                "unknown field `colour`",
            ),
        ],
    );
    assert_missing("forms/nam-muc.toml", "code = \"nam-muc\"\n", "# The default form");
}

#[test]
fn a_form_with_too_many_levels_or_reasons_is_pointed_at() {
    let level = |code: &str| {
        format!(
            "[[levels]]\ncode = \"{code}\"\nsatisfied = false\npole = \"bad\"\nface = 5\n\
             label = {{ vi = \"Khác\" }}\n"
        )
    };
    let reason = |code: &str, mark: &str| {
        format!(
            "[[reasons]]\ncode = \"{code}\"\nabout = \"procedure\"\npole = {mark}\"bad\"\n\
             text = {{ vi = \"Khác\" }}\n"
        )
    };
    let first = "[[levels]]\ncode = \"rat_hai_long\"";
    let six = format!("‸{first}");
    let last = "# Six for each pole.";
    let with_sixth = format!("{}\n{last}", level("sau"));
    let file = "forms/nam-muc.toml";
    let (folder, place) = break_sample(file, &[(first, &six), (last, &with_sixth)]);
    assert_points_there(file, folder.path(), &place, "expected 2 to 5 levels, found 6");

    let satisfied = "code = \"rat_hai_long\"\nsatisfied = true";
    let also = "code = \"hai_long\"\nsatisfied = true";
    let none = [
        (first, six.as_str()),
        (satisfied, "code = \"rat_hai_long\"\nsatisfied = false"),
        (also, "code = \"hai_long\"\nsatisfied = false"),
    ];
    let (folder, place) = break_sample(file, &none);
    assert_points_there(file, folder.path(), &place, "at least one level with satisfied = true");

    let thai_do = "[[reasons]]\ncode = \"thai_do\"";
    let more = ["a", "b", "c"].map(|code| reason(code, "")).concat();
    let with_ninth = format!("{more}{thai_do}");
    let last = "text = { vi = \"Trả kết quả trễ hẹn\", en = \"Result later than promised\" }\n";
    let tenth = format!("{last}{}", reason("muoi", "‸"));
    let (folder, place) = break_sample(file, &[(thai_do, &with_ninth), (last, &tenth)]);
    assert_points_there(file, folder.path(), &place, "expected at most 9 reasons and wishes");
}

#[test]
fn a_mistake_in_wishes_and_questions_is_pointed_at() {
    assert_each_points_there(
        "forms/tieu-chi.toml",
        &[
            ("reader = \"authority\"", "reader = ‸\"chief\"", "expected `office` or `authority`"),
            ("code = \"gop_y\"", "code = ‸\"cho_lau\"", "expected a code of its own"),
            ("{ code = \"tg_dung\",", "{ code = ‸\"tg_som\",", "expected a code of its own"),
            ("{ code = \"lh_mot\",", "{ code = ‸\"thai_do\",", "expected a code of its own"),
            ("text = { vi = \"Đúng hạn\", en", "text = ‸{ en", "expected a text under the key vi"),
            (
                "{ vi = \"Tổng thời gian giải quyết thủ tục hành chính so với quy định của pháp luật\", en",
                "‸{ en",
                "expected a text under the key vi",
            ),
        ],
    );
    let two = "choices = [\n  { code = \"cq_mot\", text = { vi = \"1 cơ quan\", en = \"One\" } },\n  \
               { code = \"cq_hai\", text = { vi = \"2 cơ quan\", en = \"Two\" } },\n";
    let (folder, place) = break_sample("forms/tieu-chi.toml", &[(two, "choices = ‸[\n")]);
    let telling = "expected 2 to 6 choices, found 1";
    assert_points_there("forms/tieu-chi.toml", folder.path(), &place, telling);
}

#[test]
fn a_mistake_in_the_texts_is_pointed_at() {
    assert_each_points_there(
        "texts/vi.toml",
        &[
            ("skip =", "‸skipped =", "unknown field `skipped`"),
            ("skip = \"Bỏ qua\"", "skip = ‸true", "expected a string"),
            ("skip = \"Bỏ qua\"", "skip = ‸\"\"", "expected some words"),
            ("skip = \"Bỏ qua\"", "skip = ‸\" \"", "expected some words"),
            (
                "no_level = \"Xin ông/bà chọn một mức trước khi gửi.\"",
                "no_level = ‸\"\"",
                "some words",
            ),
            ("title = \"Ai thu thập\"", "title = ‸\"\"", "expected some words"),
            ("language = \"vi\"", "language = ‸\"Việt\"", "expected a language's code"),
            ("counter = \"Quầy {number}\"", "counter = ‸\"Quầy\"", "expected {number} in it"),
        ],
    );
    assert_missing("texts/vi.toml", "skip = \"Bỏ qua\"\n", "[kiosk]");
    assert_missing(
        "texts/vi.toml",
        "no_level = \"Xin ông/bà chọn một mức trước khi gửi.\"\n",
        "[phone]",
    );
    assert_missing("texts/vi.toml", "none = \"Không có lượt đánh giá nào\"\n", "[summary]");
}

#[test]
fn every_language_fills_in_the_same_figures() {
    let filled = |texts: &Texts| -> Vec<(&str, Vec<String>)> {
        let sections = texts.kiosk.all().chain(texts.phone.all()).chain(texts.summary.all());
        sections
            .map(|(key, text)| {
                let mut names: Vec<String> = (text.split('{').skip(1))
                    .filter_map(|rest| Some(rest.split_once('}')?.0.to_owned()))
                    .collect();
                names.sort();
                (key, names)
            })
            .collect()
    };
    let texts = Path::new(env!("CARGO_MANIFEST_DIR")).join("kiosk-config/texts");
    let read = |file: &str| Texts::read(&texts.join(file)).unwrap();
    let (vietnamese, english) = (read("vi.toml"), read("en.toml"));
    let (vietnamese, english) = (filled(&vietnamese), filled(&english));
    assert!(vietnamese.iter().any(|(key, names)| *key == "of_ratings" && names.len() == 2));
    assert_eq!(vietnamese, english);
}

/// Writes another file into the sample's folder; its mark is what is pointed at.
fn with_file(file: &str, text: &str) -> (TempDir, String) {
    let folder = sample_folder();
    let place = write_marked(&folder.path().join(file), text);
    (folder, place)
}

#[test]
fn a_mistake_in_the_codes_of_staff_is_pointed_at() {
    let (salt, hash, other) = ("5a".repeat(16), "11".repeat(32), "22".repeat(32));
    let lan = format!("cb07,{salt},{hash}\n");
    for (rows, telling) in [
        (format!("‸cb99,{salt},{hash}"), "an official of officials.csv, or technician, found cb99"),
        (format!("‸Lan,{salt},{hash}"), "1 to 32 of a-z"),
        (format!("cb07,‸5A,{hash}"), "expected 32 lower hex digits"),
        (format!("cb07,{salt},‸{salt}"), "expected 64 lower hex digits"),
        (format!("{lan}cb02,‸{},{other}", "5b".repeat(16)), "expected the salt of the line before"),
        (format!("{lan}cb02,{salt},‸{hash}"), "expected a hash that nobody else has"),
        (format!("{lan}‸cb07,{salt},{other}"), "expected one code each"),
        (format!("‸cb07,{salt}"), "expected the columns who,salt,hash, found 2 fields"),
    ] {
        let file = "phu-sa/staff-codes.csv";
        let (folder, place) = with_file(file, &format!("# By command.\nwho,salt,hash\n{rows}\n"));
        assert_points_there(file, folder.path(), &place, telling);
    }
}

#[test]
fn a_mistake_in_the_procedures_is_pointed_at() {
    let file = "phu-sa/procedures.csv";
    assert_each_points_there(
        file,
        &[
            ("name,field,time_limit", "name,field,‸limit", "expected the columns name,field,"),
            ("Đăng ký lại khai sinh,Hộ tịch,", "‸,Hộ tịch,", "expected the name of a procedure"),
            ("Đăng ký giám hộ,Hộ tịch,", "Đăng ký giám hộ,‸,", "expected the field of a procedure"),
            ("Đăng ký giám hộ,Hộ tịch,", "‸Đăng ký, giám hộ,Hộ tịch,", "found 6 fields"),
        ],
    );
    let long = format!("name,field,time_limit,fee,papers\n{}‸a,b,,,\n", "a,b,,,\n".repeat(2_000));
    let (folder, place) = with_file(file, &long);
    assert_points_there(file, folder.path(), &place, "at most 2000 procedures and 2 MiB in all");
    let wide = format!("name,field,time_limit,fee,papers\n‸a,b,,,{}\n", "x".repeat(2 << 20));
    let (folder, place) = with_file(file, &wide);
    assert_points_there(file, folder.path(), &place, "at most 2000 procedures and 2 MiB in all");
}

#[test]
fn a_mistake_in_the_counters_and_officials_is_pointed_at() {
    assert_each_points_there(
        "phu-sa/counters.csv",
        &[
            ("id,number,name", "id,‸name", "expected the columns id,number,name"),
            ("id,number,name", "id,number,‸tên", "expected the columns id,number,name"),
            ("id,number,name", "‸1,2,3", "expected the columns id,number,name"),
            ("id,number,name", "id,number,name,‸note", "expected the columns id,number,name"),
            ("q2,2,Đất đai", "q2,‸hai,Đất đai", "number: "),
            ("q2,2,Đất đai", "q2,‸-2,Đất đai", "number: "),
            ("q2,2,Đất đai", "‸q2,2", "found 2 fields"),
            ("q2,2,Đất đai", "‸q2,2,Đất đai,thừa", "found 4 fields"),
            ("q2,2,Đất đai", "‸Quầy 2,2,Đất đai", "id: "),
            ("q2,2,Đất đai", "‸q1,2,Đất đai", "expected a code of its own"),
            ("q2,2,Đất đai", "# nghỉ\n\n  ‸q1, 2, Đất đai", "expected a code of its own"),
            ("q2,2,Đất đai", "q2,2,\"Đất đai,\n nhà ở\"\nq9,‸chín,Khác", "number: "),
        ],
    );
    assert_each_points_there(
        "phu-sa/officials.csv",
        &[
            ("id,name,title", "id,‸title", "expected the columns id,name,title"),
            ("cb02,Lê Thu Hà", "‸cb01,Lê Thu Hà", "expected a code of its own"),
            ("cb02,Lê Thu Hà,Công chức", "‸cb02,Lê Thu Hà", "found 2 fields"),
        ],
    );
}

#[test]
fn a_mistake_in_the_roster_is_pointed_at() {
    let q1 = "1-5,q1,cb01,07:30,17:00";
    let cases: Vec<Case> = vec![
        (q1, "‸0-5,q1,cb01,07:30,17:00", "expected weekdays such as 1-5 or 6"),
        (q1, "‸5-1,q1,cb01,07:30,17:00", "found \"5-1\""),
        (q1, "‸T2,q1,cb01,07:30,17:00", "found \"T2\""),
        (q1, "1-5,‸q9,cb01,07:30,17:00", "expected a counter of counters.csv, found q9"),
        (q1, "1-5,q1,‸cb99,07:30,17:00", "expected an official of officials.csv, found cb99"),
        (q1, "1-5,q1,‸,07:30,17:00", "official: "),
        (q1, "1-5,q1,cb01,‸7h30,17:00", "from: "),
        (q1, "1-5,q1,cb01,07:30,‸24:30", "to: "),
        (q1, "1-5,q1,cb01,07:30,‸07:30", "expected a time after from"),
        (q1, "1-5 , q1 ,\"cb01\", 07:30 ,  ‸07:00", "expected a time after from"),
        (q1, "‸1-5,q1,cb01,07:30", "found 4 fields"),
        (
            "1-5,q4,cb08,12:00,17:00",
            "5,q4,cb08,‸11:59,17:00",
            "expected one official at a time; q4 has another then",
        ),
        (
            "weekdays,counter,official",
            "weekdays,‸official",
            "expected the columns weekdays,counter",
        ),
        // A spreadsheet's other order would else be read as nonsense.
        ("weekdays,counter,official", "weekdays,‸official,counter", "expected the columns"),
        (q1, "# ai đó\n\n# khác\n1-5,‸q9,cb01,07:30,17:00", "found q9"),
    ];
    assert_each_points_there("phu-sa/roster.csv", &cases);
}

#[test]
fn a_mistake_in_hours_or_calendar_is_pointed_at() {
    let day = "2026-09-02,Quốc khánh,,";
    let cases: Vec<Case> = vec![
        (day, "‸2026-02-30,Tết,,", "date: "),
        (day, "2026-09-02,‸,,", "expected what the day is called"),
        (day, "2026-09-02,Quốc khánh,‸07:00,12:00", "expected 07:30:00 or later, when the office"),
        (day, "2026-09-02,Quốc khánh,07:30,‸17:01", "expected 17:00:00 or earlier"),
        (day, "2026-09-02,Quốc khánh,08:00,‸08:00", "expected a time after from"),
        (day, "2026-09-02,Quốc khánh,08:00,‸", "to: "),
        (day, "2026-09-02,Quốc khánh,,\n‸2026-09-02,Quốc khánh,08:00,11:00", "not named before"),
        (
            day,
            "2026-09-02,Bù,08:00,11:00\n2026-09-02,Bù,13:30,17:00\n‸2026-09-02,Bù,10:00,12:00",
            "not named before",
        ),
        ("date,name,from,to", "date,‸from,to", "expected the columns date,name and perhaps from"),
        (day, "‸2026-09-02,Quốc khánh", "found 2 fields"),
    ];
    assert_each_points_there("phu-sa/calendar.csv", &cases);
    for (hours, telling) in [
        ("‸", "expected the columns weekdays,from,to"),
        ("weekdays,from,to\n‸8,07:30,17:00\n", "expected weekdays such as 1-5 or 6"),
        ("weekdays,from,to\n1-5,‸07:00,17:00\n", "expected 07:30:00 or later"),
        ("weekdays,from,to\n1-5,07:30,‸18:00\n", "expected 17:00:00 or earlier"),
        ("weekdays,from,to\n1-5,07:30,12:00\n5,‸11:00,12:00\n", "not named before"),
    ] {
        let folder = sample_folder();
        let place = write_marked(&folder.path().join("phu-sa/hours.csv"), hours);
        assert_points_there("phu-sa/hours.csv", folder.path(), &place, telling);
    }
}

#[test]
fn without_hours_an_office_is_open_when_somebody_is_on_the_roster() {
    let open = |hours: Option<&str>, date: &str| {
        let folder = sample_folder();
        if let Some(hours) = hours {
            std::fs::write(folder.path().join("phu-sa/hours.csv"), hours).unwrap();
        }
        let config = CentralConfig::read(&folder.path().join("central.toml")).unwrap();
        let open = config.offices[0].open_on(date.parse().unwrap());
        let time = |at: hailong::domain::time::At| at.to_string()[11..16].to_owned();
        open.into_iter()
            .map(|(from, to)| format!("{}-{}", time(from), time(to)))
            .collect::<Vec<_>>()
    };
    assert_eq!(open(None, "2026-11-24"), ["07:30-17:00"]);
    assert_eq!(open(None, "2026-11-28"), [""; 0], "a Saturday");
    assert_eq!(open(None, "2026-09-02"), [""; 0], "a Wednesday off");
    let hours = Some("weekdays,from,to\n6,07:30,11:30\n");
    assert_eq!(open(hours, "2026-11-24"), [""; 0]);
    assert_eq!(open(hours, "2026-11-28"), ["07:30-11:30"]);
}

#[test]
fn an_empty_file_is_refused_at_its_start() {
    for (file, telling) in [
        ("kiosk.toml", "missing field `data`"),
        ("texts/vi.toml", "missing field `language`"),
        ("central.toml", "missing field `data`"),
        ("forms/nam-muc.toml", "missing field `code`"),
        ("phu-sa/counters.csv", "expected the columns id,number,name"),
        ("phu-sa/officials.csv", "expected the columns id,name,title"),
        ("phu-sa/roster.csv", "expected the columns weekdays,counter,official,from,to"),
    ] {
        let folder = sample_folder();
        let path = folder.path().join(file);
        std::fs::write(&path, "").unwrap();
        let place = format!("{}:1:1: ", path.display());
        assert_points_there(file, folder.path(), &place, telling);
    }
}

#[test]
fn a_file_that_is_not_utf_8_is_refused_at_the_first_wrong_byte() {
    for (file, after) in [
        ("kiosk.toml", "texts = [\""),
        ("texts/vi.toml", "skip = \"B"),
        ("central.toml", "name = \"Trung tâm Ph"),
        ("forms/nam-muc.toml", "label = { vi = \"Bình th"),
        ("phu-sa/officials.csv", "cb02,L"),
    ] {
        let folder = sample_folder();
        let path = folder.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        let at = text.find(after).unwrap() + after.len();
        let place = write_marked(&path, &format!("{}{HERE}{}", &text[..at], &text[at..]));
        let mut bytes = text.into_bytes();
        // As an old Vietnamese code page writes ê.
        bytes.insert(at, 0xea);
        std::fs::write(&path, bytes).unwrap();
        assert_points_there(file, folder.path(), &place, "expected UTF-8");
    }
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_do_no_harm() {
    for file in ["kiosk.toml", "central.toml", "phu-sa/officials.csv", "phu-sa/roster.csv"] {
        let folder = sample_folder();
        let path = folder.path().join(file);
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("\u{feff}{}", text.replace('\n', "\r\n"))).unwrap();
        Reader::of(file).read(folder.path()).unwrap();
    }
    let folder = sample_folder();
    let path = folder.path().join("phu-sa/roster.csv");
    let text = std::fs::read_to_string(&path).unwrap().replace('\n', "\r\n");
    let place = write_marked(&path, &text.replace("1-5,q2,cb02", "1-5,q2,‸cb99"));
    let file = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("\u{feff}{file}")).unwrap();
    assert_points_there("phu-sa/roster.csv", folder.path(), &place, "found cb99");
}

#[test]
fn a_file_that_is_not_there_is_named() {
    for (file, telling) in [("kiosk.toml", "cannot be read"), ("central.toml", "cannot be read")] {
        let folder = sample_folder();
        let path = folder.path().join(file);
        std::fs::remove_file(&path).unwrap();
        let place = format!("{}: ", path.display());
        assert_points_there(file, folder.path(), &place, telling);
    }
}

#[test]
fn the_program_ends_with_code_3_and_the_message() {
    let cases: [(&str, &str, &str, &str); 11] = [
        ("kiosk.toml", "reasons = 30", "reasons = ‸1", "expected 3 to 600 seconds"),
        ("kiosk.toml", "full_screen =", "‸fullscreen =", "unknown field"),
        ("texts/vi.toml", "skip = \"Bỏ qua\"", "skip = ‸\"\"", "expected some words"),
        ("central.toml", "\"127.0.0.1:8081\"", "‸\"0.0.0.0:8081\"", "expected a loopback"),
        ("central.toml", "\"127.0.0.1:8080\"", "‸\"[::]:8080\"", "behind_proxy = true"),
        ("central.toml", "\"127.0.0.1:8080\"", "‸\"10.1.2.3:80\"", "give citizens_tls"),
        ("central.toml", "\"127.0.0.1:8080\"", "‸\"[::ffff:10.1.2.3]:80\"", "a loopback address"),
        ("kiosk.toml", "#ca = \"hung-yen.pem\"", "ca = ‸\"hung-yen.pem\"", "cannot be read"),
        ("kiosk.toml", PROXY, "proxy = ‸\"socks5://a:1\"", "expected http://host:port"),
        ("forms/nam-muc.toml", "face = 4", "face = ‸9", "expected a face from 1 to 5"),
        ("phu-sa/roster.csv", "1-5,q3,", "1-5,‸q7,", "expected a counter of counters.csv"),
    ];
    for (file, old, new, telling) in cases {
        let (folder, place) = break_sample(file, &[(old, new)]);
        // Its data would lie inside of the folder of this test.
        let central = folder.path().join("central.toml");
        let text = std::fs::read_to_string(&central).unwrap();
        std::fs::write(&central, text.replace("\"../central-data\"", "\"central-data\"")).unwrap();
        let reader = Reader::of(file);
        let command = if reader == Reader::Kiosk { "kiosk" } else { "central" };
        // A program that starts after all must not hold up the test.
        let output = Command::new("timeout")
            .args(["20", env!("CARGO_BIN_EXE_hailong"), command, "--config"])
            .arg(reader.file(folder.path()))
            .current_dir(folder.path())
            // On a display the kiosk's guardian would show it there.
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{file}: {said}");
        assert!(said.contains(&place) && said.contains(telling), "{said}\nnot {place}…{telling}");
        assert_eq!(output.stdout, b"", "nothing was begun");
        let data = folder.path().join("central-data");
        assert!(!data.exists(), "no folder was made");
    }
}
