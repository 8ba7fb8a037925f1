//! Invented communes and people. Any likeness to real ones is by chance: the parts are common, the sums are drawn.

use jiff::civil::{Date, Time, date, time};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use unicode_normalization::UnicodeNormalization;

use super::Size;
use crate::domain::calendar::{Calendar, Hours, OwnDay};
use crate::domain::form::Forms;
use crate::domain::ids::{BadName, OfficeCode};
use crate::domain::office::{Counter, Directory, Office, Official, Shift};
use crate::domain::signals::Thresholds;

/// Before and after noon.
pub const HOURS: [(Time, Time); 2] =
    [(time(7, 30, 0, 0), time(11, 30, 0, 0)), (time(13, 30, 0, 0), time(17, 0, 0, 0))];

const FIRST: [&str; 24] = [
    "An", "Bình", "Cẩm", "Đông", "Đức", "Gia", "Hòa", "Hưng", "Khánh", "Lộc", "Minh", "Nam", "Phú",
    "Quang", "Tân", "Thái", "Thanh", "Thịnh", "Thuận", "Tiên", "Trung", "Văn", "Vĩnh", "Xuân",
];
const SECOND: [&str; 16] = [
    "Châu", "Giang", "Hà", "Hải", "Khê", "Lạc", "Lâm", "Lập", "Lương", "Ninh", "Phong", "Sơn",
    "Thắng", "Thọ", "Tiến", "Trạch",
];
/// Family names, about as frequent as they are.
const FAMILY: [(&str, u32); 14] = [
    ("Nguyễn", 38),
    ("Trần", 12),
    ("Lê", 10),
    ("Phạm", 7),
    ("Hoàng", 5),
    ("Vũ", 5),
    ("Đặng", 4),
    ("Bùi", 4),
    ("Đỗ", 4),
    ("Ngô", 3),
    ("Dương", 2),
    ("Đinh", 2),
    ("Phan", 2),
    ("Lương", 2),
];
const OF_WOMEN: [&str; 8] =
    ["Thị", "Thị Thanh", "Thị Thu", "Thị Ngọc", "Thị Minh", "Thị Kim", "Thu", "Ngọc"];
const OF_MEN: [&str; 8] = ["Văn", "Quốc", "Đức", "Hữu", "Minh", "Xuân", "Đình", "Quang"];
const WOMEN: [&str; 16] = [
    "Lan", "Hà", "Hương", "Huyền", "Linh", "Mai", "Nga", "Nhung", "Oanh", "Phương", "Quyên",
    "Thảo", "Thủy", "Trang", "Vân", "Yến",
];
const MEN: [&str; 16] = [
    "Anh", "Cường", "Dũng", "Hải", "Hiếu", "Hùng", "Khoa", "Long", "Nam", "Phúc", "Quân", "Sơn",
    "Thắng", "Tuấn", "Việt", "Vinh",
];
/// What counters serve, those first that every office has.
const SERVES: [&str; 12] = [
    "Tiếp nhận chung",
    "Đất đai",
    "Hộ tịch – Chứng thực",
    "Bảo hiểm – Bảo trợ xã hội",
    "Đăng ký kinh doanh",
    "Xây dựng – Đô thị",
    "Trả kết quả",
    "Người có công",
    "Nông nghiệp – Môi trường",
    "Giáo dục – Y tế",
    "Văn hóa – Du lịch",
    "Lao động – Việc làm",
];

/// Days off of 2026; Saturdays worked in exchange are left out.
const DAYS_OFF: [(Date, &str); 12] = [
    (date(2026, 1, 1), "Tết Dương lịch"),
    (date(2026, 1, 2), "Nghỉ bù Tết Dương lịch"),
    (date(2026, 2, 16), "Tết Nguyên đán"),
    (date(2026, 2, 17), "Tết Nguyên đán"),
    (date(2026, 2, 18), "Tết Nguyên đán"),
    (date(2026, 2, 19), "Tết Nguyên đán"),
    (date(2026, 2, 20), "Tết Nguyên đán"),
    (date(2026, 4, 27), "Nghỉ bù Giỗ Tổ Hùng Vương"),
    (date(2026, 4, 30), "Ngày Chiến thắng"),
    (date(2026, 5, 1), "Quốc tế Lao động"),
    (date(2026, 9, 1), "Quốc khánh"),
    (date(2026, 9, 2), "Quốc khánh"),
];

/// The offices of a province. The same seed gives the same ones.
pub fn offices(size: &Size, seed: u64, forms: &Forms) -> Result<Vec<Directory>, BadName> {
    let mut random = StdRng::seed_from_u64(seed.wrapping_mul(0x9e37_79b9));
    let mut left: Vec<(&str, &str)> =
        FIRST.iter().flat_map(|first| SECOND.iter().map(move |second| (*first, *second))).collect();
    (0..size.offices)
        .map(|place| {
            // More offices than names come round again, with a number.
            let round = place / (FIRST.len() * SECOND.len());
            if left.is_empty() {
                left = FIRST.iter().flat_map(|a| SECOND.iter().map(move |b| (*a, *b))).collect();
            }
            let (first, second) = left.swap_remove(random.random_range(0..left.len()));
            let name = if round == 0 {
                format!("{first} {second}")
            } else {
                format!("{first} {second} {round}")
            };
            // The first of what does not divide go to the first offices.
            let (each, more) = (size.kiosks / size.offices, size.kiosks % size.offices);
            let counters = each + usize::from(place < more);
            office(&name, place, counters.max(1), &mut random, forms)
        })
        .collect()
}

fn office(
    name: &str,
    place: usize,
    counters: usize,
    random: &mut StdRng,
    forms: &Forms,
) -> Result<Directory, BadName> {
    // One in nine is a ward, one in eight asks with three faces.
    let kind = if place % 9 == 4 { "phường" } else { "xã" };
    let form = if place % 8 == 5 && forms.iter().any(|form| form.code == "ba-muc") {
        "ba-muc"
    } else {
        "nam-muc"
    };
    let [(opens, _), (_, closes)] = HOURS;
    let counter = |number: usize| {
        Ok(Counter {
            id: format!("q{}", number + 1).parse()?,
            number: number as u16 + 1,
            name: SERVES[number % SERVES.len()].to_owned(),
            branch: String::new(),
            until: None,
        })
    };
    let counters = (0..counters).map(counter).collect::<Result<Vec<Counter>, BadName>>()?;
    let official = |number: usize| {
        Ok(Official {
            id: format!("cb{:02}", number + 1).parse()?,
            name: person(random),
            title: if number % 4 == 3 { "Viên chức".into() } else { "Công chức".into() },
            photo: None,
            until: None,
        })
    };
    let officials =
        (0..=counters.len()).map(official).collect::<Result<Vec<Official>, BadName>>()?;
    let mut roster = Vec::new();
    for (place, counter) in counters.iter().enumerate() {
        for weekday in 1..=5_i8 {
            // The last official stands in for one of the others each day.
            let stands_in = place % 5 + 1 == weekday as usize && place < 5;
            let official = if stands_in { officials.last() } else { officials.get(place) };
            for (from, to) in HOURS {
                let (Some(official), counter) = (official, counter.id.clone()) else { continue };
                roster.push(Shift { weekday, counter, official: official.id.clone(), from, to });
            }
        }
    }
    let hours = (1..=5_i8).flat_map(|weekday| HOURS.map(|(from, to)| Hours { weekday, from, to }));
    let days = DAYS_OFF.iter().map(|(date, name)| OwnDay {
        date: *date,
        name: (*name).to_owned(),
        hours: None,
    });
    Ok(Directory {
        office: Office {
            code: code_of(name)?,
            name: format!("Trung tâm Phục vụ hành chính công {kind} {name}"),
            form: form.into(),
            opens,
            closes,
            former: Vec::new(),
            ended: None,
        },
        counters,
        officials,
        roster,
        calendar: Some(Calendar { hours: hours.collect(), days: days.collect() }),
        signals: Some(Thresholds::default()),
    })
}

fn person(random: &mut StdRng) -> String {
    let family = FAMILY.choose_weighted(random, |one| one.1).map_or("Nguyễn", |one| one.0);
    let (middle, given) =
        if random.random_bool(0.6) { (&OF_WOMEN, &WOMEN) } else { (&OF_MEN, &MEN) };
    let middle = middle[random.random_range(0..middle.len())];
    let given = given[random.random_range(0..given.len())];
    format!("{family} {middle} {given}")
}

/// “Đông Khê” is `dong-khe`.
fn code_of(name: &str) -> Result<OfficeCode, BadName> {
    let plain = |letter: char| match letter {
        'đ' => 'd',
        ' ' => '-',
        other => other,
    };
    let letters = name.nfd().flat_map(char::to_lowercase).map(plain);
    let code: String =
        letters.filter(|letter| letter.is_ascii_alphanumeric() || *letter == '-').collect();
    code.parse()
}
