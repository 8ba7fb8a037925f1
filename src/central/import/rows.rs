//! Which list a sheet holds, which of its columns is which, and what stands in a cell.
//!
//! People have these lists already: under Vietnamese headings or ours, with a title above them, with headings
//! merged over two rows, with columns that are of no use here.

use jiff::civil::{Date, Time};

use super::sheets::Sheet;

/// What a sheet lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Offices.
    Offices,
    /// Counters.
    Counters,
    /// Officials.
    Officials,
    /// Who is where when.
    Roster,
    /// When offices are open.
    Hours,
    /// Days that are not as their weekday is.
    Calendar,
}

impl Kind {
    /// All of them, in the order in which they are taken: what is named comes before what names it.
    pub const ALL: [Self; 6] =
        [Self::Offices, Self::Counters, Self::Officials, Self::Roster, Self::Hours, Self::Calendar];

    /// Its word in files and addresses.
    pub fn word(self) -> &'static str {
        match self {
            Self::Offices => "offices",
            Self::Counters => "counters",
            Self::Officials => "officials",
            Self::Roster => "roster",
            Self::Hours => "hours",
            Self::Calendar => "calendar",
        }
    }

    /// By its word.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Whether what a sheet lists of an office takes the place of all that was there.
    pub fn is_replaced(self) -> bool {
        matches!(self, Self::Roster | Self::Hours | Self::Calendar)
    }

    /// What sheets of it are called beside its word, as [`plain`] has it.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Offices => &["don vi", "danh sach don vi"],
            Self::Counters => &["quay", "danh sach quay"],
            Self::Officials => &["can bo", "danh sach can bo"],
            Self::Roster => &["lich truc", "phan cong", "lich phan cong"],
            Self::Hours => &["gio lam viec"],
            Self::Calendar => &["ngay nghi", "lich nghi", "ngay nghi ngay lam bu"],
        }
    }

    /// Its columns.
    pub fn columns(self) -> &'static [Column] {
        match self {
            Self::Offices => OFFICES,
            Self::Counters => COUNTERS,
            Self::Officials => OFFICIALS,
            Self::Roster => ROSTER,
            Self::Hours => HOURS,
            Self::Calendar => CALENDAR,
        }
    }
}

/// A column.
#[derive(Debug)]
pub struct Column {
    /// Its word in files and addresses.
    pub word: &'static str,
    /// Whether a sheet without it is none of its kind.
    pub needed: bool,
    /// What it is called beside its word, as [`plain`] has it.
    also: &'static [&'static str],
}

const fn needed(word: &'static str, also: &'static [&'static str]) -> Column {
    Column { word, needed: true, also }
}

const fn perhaps(word: &'static str, also: &'static [&'static str]) -> Column {
    Column { word, needed: false, also }
}

/// The column that says of which office a row is. It may be missing where one office is spoken of.
pub const OFFICE: &str = "office";
const OF_OFFICE: Column = perhaps(OFFICE, &["ma don vi", "office code", "don vi"]);
const UNTIL: Column = perhaps("until", &["den het ngay", "last day", "ngay cuoi", "den ngay"]);

const OFFICES: &[Column] = &[
    needed(OFFICE, &["code", "ma don vi", "office code", "ma"]),
    perhaps("name", &["ten don vi", "office name", "ten"]),
    perhaps("form", &["mau phieu", "phieu danh gia"]),
    perhaps("opens", &["mo cua", "gio mo cua"]),
    perhaps("closes", &["dong cua", "gio dong cua"]),
    UNTIL,
    perhaps("into", &["sap nhap vao", "merged into", "nhap vao"]),
    perhaps("decision", &["quyet dinh", "so quyet dinh", "theo quyet dinh"]),
];
const COUNTERS: &[Column] = &[
    OF_OFFICE,
    needed("id", &["ma quay", "counter code", "ma"]),
    perhaps("number", &["so quay", "quay so", "so"]),
    perhaps("name", &["linh vuc", "serves", "ten quay", "ten"]),
    perhaps("branch", &["diem tiep nhan", "co so"]),
    UNTIL,
];
const OFFICIALS: &[Column] = &[
    OF_OFFICE,
    needed("id", &["ma can bo", "official code", "ma"]),
    perhaps("name", &["ho va ten", "full name", "ho ten", "ten"]),
    perhaps("title", &["chuc danh", "position", "chuc vu"]),
    UNTIL,
];
const ROSTER: &[Column] = &[
    OF_OFFICE,
    needed("weekdays", &["thu", "ngay trong tuan"]),
    needed("counter", &["ma quay", "counter code", "quay"]),
    needed("official", &["ma can bo", "official code", "can bo"]),
    needed("from", &["tu gio", "tu"]),
    needed("to", &["den gio", "den"]),
];
const HOURS: &[Column] = &[
    OF_OFFICE,
    needed("weekdays", &["thu", "ngay trong tuan"]),
    needed("from", &["tu gio", "tu"]),
    needed("to", &["den gio", "den"]),
];
const CALENDAR: &[Column] = &[
    OF_OFFICE,
    needed("date", &["ngay"]),
    needed("name", &["noi dung", "day", "ten ngay", "ten"]),
    perhaps("from", &["tu gio", "tu"]),
    perhaps("to", &["den gio", "den"]),
];

/// The heading is looked for in so many rows.
const HEADINGS_WITHIN: usize = 12;

/// Small letters without accents and single spaces in the place of all else, as headings are compared.
pub fn plain(text: &str) -> String {
    let mut plain = String::new();
    for letter in
        unicode_normalization::UnicodeNormalization::nfd(text).flat_map(char::to_lowercase)
    {
        match letter {
            'đ' => plain.push('d'),
            _ if letter.is_ascii_alphanumeric() => plain.push(letter),
            '\u{300}'..='\u{36f}' => {}
            _ if plain.ends_with(' ') || plain.is_empty() => {}
            _ => plain.push(' '),
        }
    }
    plain.trim_end().to_owned()
}

/// The columns of a row of headings: for each of a kind's columns where it stands.
type Places = Vec<(&'static str, usize)>;

/// A sheet whose list is known.
pub struct List<'a> {
    /// What it lists.
    pub kind: Kind,
    /// Where its columns are.
    places: Places,
    /// Whether weekdays are counted as people here count them: “thứ 2” is Monday.
    counts_thu: bool,
    /// Its rows below the headings.
    rows: &'a [(u32, Vec<String>)],
}

/// What a sheet was found to be.
pub enum Found<'a> {
    /// A list.
    List(List<'a>),
    /// Named as a list is, but these columns are missing.
    Lacking(Kind, Vec<&'static str>),
    /// None.
    Nothing,
}

/// The headings of a row, a cell that is empty by what stands above it: cells may be merged.
fn headings(rows: &[(u32, Vec<String>)], at: usize) -> Vec<String> {
    let (number, cells) = &rows[at];
    let above = at.checked_sub(1).map(|above| &rows[above]).filter(|(row, _)| row + 1 == *number);
    let of = |index: usize| {
        let own = cells.get(index).filter(|cell| !cell.is_empty());
        let cell = own.or_else(|| above.and_then(|(_, cells)| cells.get(index)));
        cell.map_or_else(String::new, |cell| plain(cell))
    };
    (0..cells.len().max(above.map_or(0, |(_, cells)| cells.len()))).map(of).collect()
}

fn places(kind: Kind, headings: &[String]) -> Places {
    let place = |column: &Column| {
        let names = std::iter::once(&column.word).chain(column.also);
        let mut names = names.filter_map(|name| headings.iter().position(|one| one == name));
        names.next().map(|at| (column.word, at))
    };
    let mut found: Places = kind.columns().iter().filter_map(place).collect();
    // One column is one thing: the more particular name, which is looked for first, has it.
    let mut taken = std::collections::BTreeSet::new();
    found.retain(|(_, at)| taken.insert(*at));
    found
}

fn lacking(kind: Kind, places: &Places) -> Vec<&'static str> {
    let needed = kind.columns().iter().filter(|column| column.needed);
    needed
        .map(|column| column.word)
        .filter(|word| places.iter().all(|(known, _)| known != word))
        .collect()
}

/// Finds out what a sheet lists: by its name, or else by its headings.
pub fn recognise(sheet: &Sheet) -> Found<'_> {
    let name = plain(&sheet.name);
    let named = Kind::ALL
        .into_iter()
        .find(|kind| kind.word() == name || kind.names().contains(&name.as_str()));
    let kinds: Vec<Kind> = named.map_or_else(|| Kind::ALL.to_vec(), |kind| vec![kind]);
    let mut best: Option<(usize, Kind, Places, usize)> = None;
    for at in 0..sheet.rows.len().min(HEADINGS_WITHIN) {
        let headings = headings(&sheet.rows, at);
        for kind in &kinds {
            let places = places(*kind, &headings);
            // What tells lists apart is how many of their columns are here.
            if lacking(*kind, &places).is_empty()
                && best.as_ref().is_none_or(|(most, ..)| places.len() > *most)
            {
                best = Some((places.len(), *kind, places, at));
            }
        }
    }
    match (best, named) {
        (Some((_, kind, places, at)), _) => {
            let headings = headings(&sheet.rows, at);
            let weekdays = places.iter().find(|(word, _)| *word == "weekdays");
            let counts_thu = weekdays.is_some_and(|(_, at)| headings[*at] != "weekdays");
            Found::List(List { kind, places, counts_thu, rows: &sheet.rows[at + 1..] })
        }
        (None, Some(kind)) => {
            let rows = 0..sheet.rows.len().min(HEADINGS_WITHIN);
            let lacks = rows.map(|at| lacking(kind, &places(kind, &headings(&sheet.rows, at))));
            let all = || lacking(kind, &Places::new());
            Found::Lacking(kind, lacks.min_by_key(Vec::len).unwrap_or_else(all))
        }
        (None, None) => Found::Nothing,
    }
}

impl List<'_> {
    /// Its rows.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|(number, cells)| Row {
            number: *number,
            cells,
            places: &self.places,
            counts_thu: self.counts_thu,
        })
    }
}

/// A row.
#[derive(Clone, Copy)]
pub struct Row<'a> {
    /// Its number, as a spreadsheet counts.
    pub number: u32,
    cells: &'a [String],
    places: &'a Places,
    counts_thu: bool,
}

/// What was expected in a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// The code of an office, a counter, an official.
    Code,
    /// A number.
    Number,
    /// A date.
    Date,
    /// A time of day.
    Time,
    /// Weekdays.
    Weekdays,
}

impl<'a> Row<'a> {
    /// What stands in a column, if it is there and not empty.
    pub fn text(&self, column: &str) -> Option<&'a str> {
        let (_, at) = self.places.iter().find(|(word, _)| *word == column)?;
        self.cells.get(*at).map(String::as_str).filter(|cell| !cell.is_empty())
    }

    /// Weekdays, 1 (Monday) to 7.
    pub fn weekdays(&self, text: &str) -> Option<Vec<i8>> {
        weekdays(text, self.counts_thu)
    }
}

/// Weekdays as English abbreviates them, from Monday.
const ENGLISH: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Weekdays such as `1-5`, `T2-T6`, `Thứ 7, CN`; plain numbers are ISO 8601's (1 is Monday), or, where the
/// column is called “Thứ”, as people here count (2 is Monday).
fn weekdays(text: &str, counts_thu: bool) -> Option<Vec<i8>> {
    let day = |text: &str| {
        let text = plain(text);
        let thu = text.strip_prefix("thu").or_else(|| text.strip_prefix('t')).map(str::trim);
        match (text.as_str(), thu) {
            ("cn" | "chu nhat", _) => Some(7),
            (word, _) if ENGLISH.contains(&word) => {
                (1..).zip(ENGLISH).find(|(_, one)| *one == word).map(|(day, _)| day)
            }
            (_, Some(number)) => {
                number.parse().ok().filter(|day| (2..=7).contains(day)).map(|day: i8| day - 1)
            }
            (number, None) if counts_thu => {
                number.parse().ok().filter(|day| (2..=8).contains(day)).map(|day: i8| day - 1)
            }
            (number, None) => number.parse().ok().filter(|day| (1..=7).contains(day)),
        }
    };
    let mut days = Vec::new();
    for part in text.split([',', ';', '+']) {
        match part.split_once(['-', '–']) {
            Some((from, to)) => {
                let (from, to) = (day(from)?, day(to)?);
                if from > to {
                    return None;
                }
                days.extend(from..=to);
            }
            None => days.push(day(part)?),
        }
    }
    days.sort_unstable();
    days.dedup();
    Some(days)
}

/// A date as people here write it, or as ISO 8601 does.
pub fn date(text: &str) -> Option<Date> {
    if let Ok(date) = text.parse() {
        return Some(date);
    }
    let parts: Vec<&str> = text.split(['/', '-', '.']).map(str::trim).collect();
    let [day, month, year] = parts[..] else { return None };
    if year.len() != 4 {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// A time of day: `7:30`, `07:30`, `7h30`, `17h`, `07:30:00`.
pub fn time(text: &str) -> Option<Time> {
    let text = text.trim().to_ascii_lowercase().replace('h', ":");
    let mut parts = text.split(':').map(str::trim);
    let hour = parts.next()?.parse().ok()?;
    let minute =
        parts.next().filter(|part| !part.is_empty()).map_or(Some(0), |part| part.parse().ok())?;
    if parts.next().is_some_and(|seconds| seconds.parse::<u8>() != Ok(0)) || parts.next().is_some()
    {
        return None;
    }
    // A number alone is not a time.
    text.contains(':').then(|| Time::new(hour, minute, 0, 0).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(name: &str, rows: &[&[&str]]) -> Sheet {
        let row = |(number, cells): (u32, &&[&str])| {
            (number, cells.iter().map(|cell| (*cell).to_owned()).collect())
        };
        Sheet { name: name.to_owned(), rows: (1..).zip(rows).map(row).collect() }
    }

    #[test]
    fn a_list_is_known_by_its_name_or_its_headings_under_titles_and_merged_cells() {
        let sheets = [
            sheet(
                "officials",
                &[&["office", "id", "name", "title"], &["phu-sa", "cb01", "Hòa", "Công chức"]],
            ),
            sheet(
                "Sheet1",
                &[
                    &["ỦY BAN NHÂN DÂN XÃ PHÙ SA"],
                    &["DANH SÁCH CÁN BỘ"],
                    &["STT", "Mã đơn vị", "Mã cán bộ", "Họ và tên", "Chức vụ"],
                    &["1", "phu-sa", "cb01", "Hòa", "Công chức"],
                ],
            ),
            sheet(
                "Cán bộ",
                &[
                    &["Mã đơn vị", "Cán bộ", "", ""],
                    &["", "Mã", "Tên", "Chức danh"],
                    &["phu-sa", "cb01", "Hòa", "Công chức"],
                ],
            ),
        ];
        for sheet in &sheets {
            let Found::List(list) = recognise(sheet) else { panic!("{}", sheet.name) };
            assert_eq!(list.kind, Kind::Officials, "{}", sheet.name);
            let row = list.rows().next().unwrap();
            let cells = ["office", "id", "name", "title", "until"].map(|column| row.text(column));
            let expected = [Some("phu-sa"), Some("cb01"), Some("Hòa"), Some("Công chức"), None];
            assert_eq!(cells, expected, "{}", sheet.name);
        }
        let roster = sheet(
            "x",
            &[
                &["Thứ", "Quầy", "Cán bộ", "Từ giờ", "Đến giờ"],
                &["2-6", "q1", "cb01", "7h30", "17h"],
            ],
        );
        let Found::List(list) = recognise(&roster) else { panic!() };
        assert_eq!(list.kind, Kind::Roster);
        let row = list.rows().next().unwrap();
        assert_eq!(row.weekdays(row.text("weekdays").unwrap()), Some(vec![1, 2, 3, 4, 5]));
        let lacks = sheet("counters", &[&["office", "name"]]);
        assert!(
            matches!(recognise(&lacks), Found::Lacking(Kind::Counters, lacks) if lacks == ["id"])
        );
        assert!(matches!(recognise(&sheet("Hướng dẫn", &[&["Xin đọc trước"]])), Found::Nothing));
    }

    #[test]
    fn days_dates_and_times_are_read_as_people_write_them() {
        for (text, thu, expected) in [
            ("1-5", false, Some(vec![1, 2, 3, 4, 5])),
            ("2-6", true, Some(vec![1, 2, 3, 4, 5])),
            ("T2-T6", false, Some(vec![1, 2, 3, 4, 5])),
            ("Thứ 7, CN", false, Some(vec![6, 7])),
            ("8", true, Some(vec![7])),
            ("Chủ nhật", true, Some(vec![7])),
            ("Mon-Fri", false, Some(vec![1, 2, 3, 4, 5])),
            ("thu", false, Some(vec![4])),
            ("8", false, None),
            ("1", true, None),
            ("6-2", false, None),
            ("", false, None),
        ] {
            assert_eq!(weekdays(text, thu), expected, "{text}");
        }
        let day = jiff::civil::date(2026, 9, 2);
        for text in ["2026-09-02", "02/09/2026", "2/9/2026", "2.9.2026", "02-09-2026"] {
            assert_eq!(date(text), Some(day), "{text}");
        }
        for text in ["32/01/2026", "02/09/26", "9/2026", "hôm nay"] {
            assert_eq!(date(text), None, "{text}");
        }
        let half_past = jiff::civil::time(7, 30, 0, 0);
        for text in ["7:30", "07:30", "7h30", "07:30:00"] {
            assert_eq!(time(text), Some(half_past), "{text}");
        }
        assert_eq!(time("17h"), Some(jiff::civil::time(17, 0, 0, 0)));
        for text in ["17", "25:00", "7:30:15", "sáng"] {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
