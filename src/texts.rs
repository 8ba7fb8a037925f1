//! What screens and pages say: one file a language, so that another language is a file away.
//!
//! A file is a [`Texts`], whole: a text that is missing or unknown is a mistake with its line, so
//! no catalogue can lag behind another. Wordings of forms stand in the forms.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::civil::{Date, Weekday};
use serde::de::{self, DeserializeSeed, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use toml::Spanned;

use crate::config::{ConfigError, Source};
use crate::domain::access::{Right, Role};
use crate::domain::form::{BadForm, Form, Text};
use crate::domain::ids::CounterId;
use crate::domain::office::{Counter, Office};
use crate::domain::period::{self, Period};
use crate::domain::signals::{Kind, Signal};
use crate::domain::summary::{State, Summary};
use crate::domain::time::At;

/// Most languages that a screen offers: more do not fit its header.
pub const MOST: usize = 4;

/// All texts of one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Texts {
    /// Its code, by which forms name it: `vi`, `en`.
    pub language: String,
    /// How it calls itself.
    pub name: String,
    /// A counter by its number, which stands for `{number}`.
    pub counter: String,
    /// What the law asks to be told; `{office}` stands for the office's name.
    pub notice: Notice,
    /// What the kiosk shows when nobody is there, one after the other; `{office}`, `{opens}` and `{closes}`
    /// stand for the office's own. A unit's code of conduct stands here.
    pub rest: Vec<NoticePart>,
    /// What the kiosk's screens say.
    pub kiosk: KioskTexts,
    /// What the kiosk's first start says.
    pub setup: SetupTexts,
    /// What the phone's pages say.
    pub phone: PhoneTexts,
    /// What anybody may read.
    pub public: PublicTexts,
    /// What staff read.
    pub summary: SummaryTexts,
    /// What the list of all kiosks says.
    pub fleet: FleetTexts,
    /// What the pages for signing in and for accounts say.
    pub access: AccessTexts,
    /// What the page of all offices says.
    pub offices: OfficesTexts,
    /// What the pages of the directory say.
    pub directory: DirectoryTexts,
    /// What the pages of rating forms say.
    pub forms: FormsTexts,
    /// What the page of reports of violations says.
    pub reports: ReportsTexts,
    /// What an office's public board says.
    pub board: BoardTexts,
    /// What mail says, and the page that lists it.
    pub delivery: DeliveryTexts,
}

/// The notice: who collects what, why, how long it is kept, who sees it, whom to ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// The question that leads to it, and its heading.
    pub title: String,
    /// Its parts.
    pub parts: Vec<NoticePart>,
}

/// One part of the notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticePart {
    /// What it tells.
    pub title: String,
    /// It.
    pub text: String,
}

/// Reads the texts of these keys, in their order: each of them once, and no other. Derived readers of so many
/// fields, one for each kind of file, were two megabytes of the kiosk's program.
fn section<'de, D: Deserializer<'de>>(
    from: D,
    keys: &'static [&'static str],
) -> Result<Vec<String>, D::Error> {
    /// One of the keys: its place.
    struct Key(&'static [&'static str]);

    impl<'de> DeserializeSeed<'de> for Key {
        type Value = usize;
        fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<usize, D::Error> {
            from.deserialize_identifier(self)
        }
    }

    impl Visitor<'_> for Key {
        type Value = usize;
        fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
            f.write_str("the key of a text")
        }
        fn visit_str<E: de::Error>(self, key: &str) -> Result<usize, E> {
            let place = self.0.iter().position(|known| *known == key);
            place.ok_or_else(|| E::unknown_field(key, self.0))
        }
    }

    struct Section(&'static [&'static str]);

    impl<'de> Visitor<'de> for Section {
        type Value = Vec<String>;
        fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
            f.write_str("texts by their keys")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vec<String>, A::Error> {
            let mut found: Vec<Option<String>> = vec![None; self.0.len()];
            while let Some(place) = map.next_key_seed(Key(self.0))? {
                if found[place].replace(map.next_value()?).is_some() {
                    return Err(de::Error::duplicate_field(self.0[place]));
                }
            }
            let whole = self.0.iter().zip(found);
            whole.map(|(key, text)| text.ok_or_else(|| de::Error::missing_field(key))).collect()
        }
    }

    from.deserialize_map(Section(keys))
}

macro_rules! texts {
    ($(#[$of:meta])* $name:ident { $($field:ident),* $(,)? }) => {
        $(#[$of])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[allow(missing_docs)] // Each is named for the place where it stands.
        pub struct $name { $(pub $field: String),* }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                section(from, &[$(stringify!($field)),*]).map(Self::of)
            }
        }

        impl $name {
            /// Of its texts, in the order of their keys. Once in the program, whatever was read.
            #[inline(never)]
            fn of(texts: Vec<String>) -> Self {
                let mut texts = texts.into_iter();
                Self { $($field: texts.next().unwrap_or_default()),* }
            }

            /// The same, but for what a form version says in place of texts in a language.
            #[inline(never)]
            pub fn reworded(&self, own: &BTreeMap<String, Text>, language: &str) -> Self {
                let text = |(key, text): (&str, &str)| {
                    own.get(key).and_then(|own| own.get(language)).map_or(text, |own| own).to_owned()
                };
                Self::of(self.all().map(text).collect())
            }

            /// Every text, by its key.
            pub fn all(&self) -> impl Iterator<Item = (&'static str, &str)> {
                [$((stringify!($field), self.$field.as_str())),*].into_iter()
            }
        }
    };
}

texts! {
    /// What the kiosk's screens say.
    KioskTexts {
        home_instruction, official_label, promise, later_button, notice_button, who_title, who_nobody, back,
        reasons_title, reasons_help, reasons_change, reasons_timeout, reasons_words, more_time, more_time_button, more_time_anywhere, invitation, decline, mode_large, mode_contrast, mode_low,
        words_title, words_help, words_phone, words_back, words_space, words_delete, words_capitals, rest_touch, rest_closed, rest_opens, rest_opens_today, skip, send,
        staff_title, staff_code, staff_code_help, staff_code_none, staff_code_wrong,
        staff_code_wait, staff_code_checking, staff_counter, staff_maintenance, staff_confirming, staff_elsewhere, staff_confirmed, staff_failed,
        staff_touch, staff_touch_help, staff_export, staff_export_busy, staff_export_none, staff_export_nothing,
        staff_export_done, staff_export_full, staff_export_locked, staff_export_failed, staff_leave, staff_leave_title, staff_leave_help,
        staff_done, state_kiosk, state_version, state_since, state_queue, state_queue_lines,
        state_queue_since, state_queue_none, state_link, state_link_good, state_link_refused, state_link_files, state_receipt,
        state_never, state_disk, state_clock, state_clock_behind, state_clock_ahead, state_unknown,
        procedures_button, procedures_help, procedures_found, procedures_none, procedures_title, procedures_card,
        procedure_time, procedure_fee, procedure_field, procedure_papers, list_before, list_next,
        slip_button, slip_title, slip_help, slip_used, slip_unreadable, slip_example, slip_promise, slip_send, slip_who,
        thanks_title, thanks_kept, thanks_code_button, thanks_code_title, thanks_code_help,
        thanks_more_title, thanks_more, later_title, later_text,
        later_done, not_kept, paused, staff_note,
    }
}

texts! {
    /// What the kiosk's first start says to whoever sets it up.
    SetupTexts {
        heading, step, name_language, name_address, name_code, name_connect, name_words,
        name_orientation, name_touch, language_title, language_text, address_title,
        address_text, address_example, address_good, address_wrong, code_title, code_text,
        code_hint, code_good, code_wrong, connect_title, connect_text, connect_reach,
        connect_clock, connect_enrol, no_name, no_name_text, no_way, no_way_text, refused,
        refused_text, late, late_text, cut, cut_text, scheme, scheme_text, untrusted,
        untrusted_text, other_name, other_name_text, see_clock, expired_text, not_yet_text,
        certificate, certificate_text, proxy_password, proxy_password_text, proxy, proxy_text,
        other, other_text, stranger, stranger_text, busy, busy_text, code, code_refused_text,
        too_often, too_often_text, clock, clock_ahead_text, clock_behind_text, version,
        service_older_text, service_newer_text, refuses, refuses_text, disk, disk_text,
        words_title, words_text, fact_office, fact_counter, fact_kiosk, fact_address,
        fact_machine, fact_service, seconds, minutes, hours, days, orientation_title,
        orientation_text, landscape, portrait, turned_title, turned_text, touch_title,
        touch_text, touch_done, point, clear, erase, capitals, next, back, stop, retry,
        change_address, change_code, differ, agree, turned, upright, skip_touch, begin,
    }
}

texts! {
    /// What the phone's pages say.
    PhoneTexts {
        official_label, date_label, instruction, reasons_title, reasons_help, words_title,
        words_help, report, report_help, send, promise, no_level, words_long, token_old,
        not_sent, thanks_title, thanks_kept, used_title, used_text, expired_title, not_valid_title,
        not_valid_text, busy_title, busy_text, welcome_title, welcome_text,
    }
}

texts! {
    /// What anybody may read.
    PublicTexts {
        check_own, check_title, check_text, check_label, check_send, check_rooted, check_received,
        check_not_here, check_no_code, roots_title, roots_text, roots_caption, roots_none,
        roots_day, roots_number, roots_lines, roots_anchor, roots_json,
    }
}

texts! {
    /// What staff's pages and the summary's table say.
    SummaryTexts {
        comments, comments_later, comments_none, comments_note, all_offices,
        decimal_mark, thousands_mark, monday, tuesday, wednesday, thursday, friday, saturday,
        sunday, state_open, state_waiting, state_provisional, state_complete, state_final,
        in_fives, choose_day, previous_day, next_day, rate, none_yet, none_yet_help, none, none_help,
        of_ratings, interval, satisfied_ratings, ratings, too_few_for_rate, too_few, usual,
        formula, response, served_unknown, of_served, invited, unserved, contacts, opened, rated,
        later, timed_out, interrupted, day_off, attention, attention_none, down, silent, silent_ever,
        ratings_n, off_shift, in_review, unconfirmed, phone_waiting_n, phone_waiting, available,
        available_caption, device, running, office_hours, duration, duration_hours, review, review_n, review_note, signal_burst, signal_even, signal_quick, signal_closed_hours, signal_unattributed, signal_phone_differs, signal_one_source, signal_some, signal_share, signal_from_to, signal_minute, commended, commended_for, levels,
        levels_caption, level, count, counts, share, hours, hours_caption, hour, hour_range,
        reasons, reasons_none, reasons_note, reason, about_official, about_procedure, channels,
        channels_caption, at_counter, by_phone, all_ratings, phone, phone_beside, phone_note,
        by_counter, by_counter_caption, counter, by_official, by_official_caption, official,
        rate_and_interval, satisfied_of, no_ratings, unattributed, digest, formula_number,
        whole_digest, as_json, print, table_state, table_open, table_provisional, table_complete,
        table_final, table_usual, table_none, table_contacts, table_waiting, table_unattributed,
        table_available, table_silent, overview, by_day, day, code, office, time, state, about, served, invited_alone, declined,
        satisfied_ratings_n, withheld_n, withheld_help, interval_low, interval_high, period_week, period_month, period_quarter, period_year, period_range,
        choose_period, view_by, view_day, view_week, view_month, view_quarter, view_year, view_from, view_to, view_show, as_csv, as_xlsx, previous_period, next_period, period_state_open,
        period_state_provisional, period_state_complete, period_state_final, period_none_help, period_contacts, no_period, no_period_hint, refused_title,
        refused_text, refused_hint, print_number, print_state, print_motto, print_place, print_title, print_about,
        print_by, print_head, print_sign, large_title, large_text, large_hint, missing_title, no_page, no_page_hint, no_office,
        no_office_hint, no_day, no_day_hint, no_form, no_form_hint, busy, busy_hint,
    }
}

texts! {
    /// What the page of all offices says.
    OfficesTexts {
        title, total, caption, together, below, above, silent, down, signals, praise_none, withheld, legend, note, down_n, dark_n, signals_n, print_about, rise,
    }
}

texts! {
    /// What the pages of the directory say.
    DirectoryTexts {
        wrong_from, holds_from, dropped, to_come, as_of, as_of_help, as_of_shown, as_of_day, as_of_show, drop,
        import_from, import_from_help,
        title, nav_help, offices, counters, officials, roster, hours, calendar, office, counter,
        official, all_offices, no_offices, size, in_files, in_files_help, ended, ended_into,
        import_title, import_help, import_files, import_check, export_help, export_link, plan_title,
        plan_apply, plan_leave, plan_more, plan_gone, plan_meanwhile, where_said, about, becomes,
        problems, place, passed_over, becomes_new, becomes_same, becomes_gone, outcome_nothing,
        outcome_would, outcome_done, outcome_wrong, wrong_unreadable, unreadable_workbook, unreadable_old, unreadable_text, unreadable_csv, unreadable_large, wrong_nothing, wrong_lacking,
        wrong_shape, wrong_needed, wrong_long, wrong_twice, wrong_office, wrong_in_files, wrong_of_province, wrong_used, wrong_too_many, wrong_form, wrong_form_to_come,
        wrong_counter, wrong_official, wrong_order, wrong_clash, wrong_outside, expect_code,
        expect_number, expect_date, expect_time, expect_weekdays, col_office, col_office_name, col_name,
        col_form, col_opens, col_closes, col_until, col_into, col_decision, col_counter, col_number,
        col_serves, col_branch, col_official, col_person, col_title, col_weekdays, col_from, col_to,
        col_date, col_day, monday, tuesday, wednesday, thursday, friday, saturday, sunday, edit, save,
        saved, add_office, add_counter, add_official, code_help, form_help, until_help, rename,
        decision_help, end, end_help, into_none, roster_help, hours_help, calendar_help, former,
        former_until, history, history_files, history_first, back, save_list, code,
    }
}

texts! {
    /// What an office's public board says, and the page on which it tells what it changed.
    BoardTexts {
        title, none, none_help, reasons, of_service, of_procedure, changes, changes_none, because, note, in_hall, leave_hall,
        link, intro, see, tell, change, change_help, because_of, because_help, told, shape, on_board, take_back, taken_back,
        taken_back_why, gone,
    }
}

texts! {
    /// What the pages of rating forms say.
    FormsTexts {
        title, help, link, list_title, col_version, col_question, col_from, col_decision, col_state, in_force, to_come, past,
        unused, used_by, of_files, put_by, pictures_title, pictures_help, no_pictures, no_office, picture, content_title,
        level, satisfied, satisfied_yes, satisfied_no, pole_good, pole_middle, pole_bad, reasons, about_official,
        about_procedure, wishes, questions, own_texts, next_title, next_help, next_text, check, draft_title, draft_help,
        put, done, wrong, back,
    }
}

texts! {
    /// What the page of reports of violations says.
    ReportsTexts {
        title, total, intro, none, done, no_counter, received, waiting, accepted, refused, asked, resolved, published,
        accept, refuse, ask, resolve, publish, accept_note, refuse_note, ask_note, resolve_note, publish_note,
        due_accept, due_resolve, due_publish, ask_by, left, last_day, overdue, overdue_now, gone, shape, said,
    }
}

texts! {
    /// What mail says, and the page that lists it.
    DeliveryTexts {
        subject_rate, subject_n, subject_none, subject_all, subject_silent, subject_back, subject_test,
        test_text, silent_intro, silent_line, silent_advice, back_intro, back_line,
        see_summary, see_all, see_fleet, no_officials, one_official, sent_by,
        nav, title, intro, off, test, test_said, none, caption, written, to,
        waiting, sending, sent, refused, unclear, server_said, tries, again, again_help, again_said, gone, no_office, files, files_none,
        files_well, files_wrong, files_not_yet,
    }
}

texts! {
    /// What the list of all kiosks says.
    FleetTexts {
        title, kiosk, counters, state, last, queue, oldest, version, disk, clock, trouble, never, in_use, silent,
        suspended, retired, clock_right, clock_ahead, clock_behind, total,
        none, unconfirmed, manage, words_ask, words_compared, confirm, confirmed_said, suspend, suspended_said, resume, resumed_said, retire, retired_said, reason, reason_shape, no_kiosk, enrol, enrol_help, enrol_make, enrol_shape, enrol_refused, kiosk_name, kiosk_name_help, code_for, code_made, code_address, code_qr, code_valid, attention, attention_none, more, all_offices, devices, running, running_of, replace, replace_help, replace_new, replace_shape, replace_said, replaced_by, replaced_by_none,
    }
}

texts! {
    /// What the pages for signing in and for accounts say.
    AccessTexts {
        nav, nav_summary, nav_own, nav_reports, nav_fleet, nav_accounts, nav_directory, sign_in, sign_out, login, login_help, password,
        code, code_help, wrong, code_needed, wait, forgot, invited_title, invited_first_title,
        invited_first_text, name, new_password, again, password_rule, password_length, password_common,
        password_differs, password_set, set_password, link_gone, link_gone_text, login_shape, login_used,
        name_shape, form_old, account_title, change_password, current_password, factor_title, factor_help,
        factor_begin, factor_scan, factor_qr, factor_by_hand, factor_confirm, factor_turn_on, factor_wrong,
        factor_set, factor_on, factor_on_short, factor_remove, factor_removed, recovery_title, recovery_help,
        recovery_left, tokens_title, tokens_help, token_name, token_rights, token_until, token_over,
        token_days, token_make, token_made, token_once, token_end, token_ended, token_shape, token_name_used,
        sessions_title, sessions_help, sessions_end, sessions_ended, edit, edit_title, edit_help, edit_save, granted_said, granted_meanwhile, right_own_account, right_own_figures,
        right_figures, right_fleet, right_matters, right_enrol, right_decide, right_by_hand, right_rebuild,
        right_archive, right_reports, right_accounts, right_directory, right_deliveries, role, role_administrator, role_supervisor, role_auditor,
        role_reader, role_official, role_administrator_help, role_supervisor_help, role_auditor_help,
        role_reader_help, role_official_help, unit, official, official_help, province, state, accounts_title,
        add_title, add, added, link_for, link_help, link_again, link_made, close, reopen, closed, waiting,
        in_use, closed_said, reopened_said, role_shape, official_shape, reader_shape, not_yours,
        not_own, own_title, own_print, own_none, own_nobody, own_early, own_early_hint, own_note, looks_title,
        looks_help, looks_none, look_at, look_who, look_of, look_page, look_data, look_file,
    }
}

impl AccessTexts {
    /// What a role is called.
    pub fn role(&self, role: Role) -> &str {
        match role {
            Role::Administrator => &self.role_administrator,
            Role::Supervisor => &self.role_supervisor,
            Role::Auditor => &self.role_auditor,
            Role::Reader => &self.role_reader,
            Role::Official => &self.role_official,
        }
    }

    /// What its holder may do.
    pub fn role_help(&self, role: Role) -> &str {
        match role {
            Role::Administrator => &self.role_administrator_help,
            Role::Supervisor => &self.role_supervisor_help,
            Role::Auditor => &self.role_auditor_help,
            Role::Reader => &self.role_reader_help,
            Role::Official => &self.role_official_help,
        }
    }

    /// What a right is called.
    pub fn right(&self, right: Right) -> &str {
        match right {
            Right::OwnAccount => &self.right_own_account,
            Right::OwnFigures => &self.right_own_figures,
            Right::Figures => &self.right_figures,
            Right::Fleet => &self.right_fleet,
            Right::Matters => &self.right_matters,
            Right::Enrol => &self.right_enrol,
            Right::Decide => &self.right_decide,
            Right::ByHand => &self.right_by_hand,
            Right::Rebuild => &self.right_rebuild,
            Right::Archive => &self.right_archive,
            Right::Reports => &self.right_reports,
            Right::Accounts => &self.right_accounts,
            Right::Directory => &self.right_directory,
            Right::Deliveries => &self.right_deliveries,
        }
    }
}

impl Texts {
    /// Reads a language's file.
    pub fn read(file: &Path) -> Result<Self, ConfigError> {
        let source = Source::read(file)?;
        let texts: Self = source.toml()?;
        let code = |text: &str| {
            (2..=8).contains(&text.len())
                && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
        };
        if !code(&texts.language) {
            let expected = "expected a language's code such as vi or en";
            return Err(source.error_at("language", expected));
        }
        if !texts.counter.contains("{number}") {
            return Err(source.error_at("counter", "expected {number} in it"));
        }
        let parts = &texts.notice.parts;
        if !(1..=6).contains(&parts.len()) {
            return Err(source.error_at("notice.parts", "expected 1 to 6 parts"));
        }
        if !(1..=6).contains(&texts.rest.len()) {
            return Err(source.error_at("rest", "expected 1 to 6 cards"));
        }
        let own = [("name", &*texts.name), ("notice.title", &*texts.notice.title)];
        let named = |section: &'static str| move |(key, text)| (format!("{section}.{key}"), text);
        let parts = parts.iter().enumerate().flat_map(|(place, part)| {
            let key = |name: &str| format!("notice.parts.{place}.{name}");
            [(key("title"), &*part.title), (key("text"), &*part.text)]
        });
        let rest = texts.rest.iter().enumerate().flat_map(|(place, card)| {
            let key = |name: &str| format!("rest.{place}.{name}");
            [(key("title"), &*card.title), (key("text"), &*card.text)]
        });
        let all = (own.into_iter().map(|(key, text)| (key.to_owned(), text)))
            .chain(parts)
            .chain(rest)
            .chain(texts.kiosk.all().map(named("kiosk")))
            .chain(texts.setup.all().map(named("setup")))
            .chain(texts.phone.all().map(named("phone")))
            .chain(texts.public.all().map(named("public")))
            .chain(texts.summary.all().map(named("summary")))
            .chain(texts.fleet.all().map(named("fleet")))
            .chain(texts.access.all().map(named("access")))
            .chain(texts.offices.all().map(named("offices")))
            .chain(texts.directory.all().map(named("directory")));
        for (path, text) in all {
            if text.trim().is_empty() {
                return Err(source.error_at(&path, "expected some words"));
            }
        }
        Ok(texts)
    }

    /// Languages that a screen can offer, each once; none if there are too many or none.
    pub fn usable(all: Vec<Self>) -> Option<Vec<Self>> {
        let languages: BTreeSet<&str> = all.iter().map(|texts| texts.language.as_str()).collect();
        ((1..=MOST).contains(&all.len()) && languages.len() == all.len()).then_some(all)
    }

    /// Reads the files that `source` names, the first of them the language of rest; paths are
    /// relative to `base`.
    pub fn read_all(
        source: &Source<'_>,
        base: &Path,
        files: &Spanned<Vec<Spanned<std::path::PathBuf>>>,
    ) -> Result<Vec<Self>, ConfigError> {
        if !(1..=MOST).contains(&files.get_ref().len()) {
            let expected = format!("expected 1 to {MOST} files of texts");
            return Err(source.error(files.span(), expected));
        }
        let mut all: Vec<Self> = Vec::new();
        let mut known = BTreeSet::new();
        for path in files.get_ref() {
            let file = base.join(path.get_ref());
            if !file.is_file() {
                return Err(source.error(path.span(), "expected a file of texts"));
            }
            let texts = Self::read(&file)?;
            if !known.insert(texts.language.clone()) {
                let twice = format!("expected each language once, found {} again", texts.language);
                return Err(source.error(path.span(), twice));
            }
            all.push(texts);
        }
        Ok(all)
    }

    /// What the kiosk of an office shows at rest.
    pub fn rest_of(&self, office: &Office) -> Vec<NoticePart> {
        let time = |time: jiff::civil::Time| time.strftime("%-H:%M").to_string();
        let (opens, closes) = (time(office.opens), time(office.closes));
        let fill = |text: &str| {
            fill(text, &[("office", &office.name), ("opens", &opens), ("closes", &closes)])
        };
        let card =
            |card: &NoticePart| NoticePart { title: fill(&card.title), text: fill(&card.text) };
        self.rest.iter().map(card).collect()
    }

    /// The notice for an office.
    pub fn notice_of(&self, office: &str) -> Vec<NoticePart> {
        let fill = |text: &str| text.replace("{office}", office);
        self.notice
            .parts
            .iter()
            .map(|part| NoticePart { title: fill(&part.title), text: fill(&part.text) })
            .collect()
    }

    /// A counter by its number and what it serves: “Quầy 3 · Hộ tịch – Chứng thực”.
    pub fn counter_and_name(&self, counter: &Counter) -> String {
        format!("{} · {}", self.counter_of(counter.number), counter.name)
    }

    /// What is said while a version of a form is shown: keys that are not known here are passed over.
    pub fn beside(&self, form: &Form) -> Self {
        let mut texts = self.clone();
        if let Some(own) = form.texts.get("kiosk") {
            texts.kiosk = texts.kiosk.reworded(own, &self.language);
        }
        if let Some(own) = form.texts.get("phone") {
            texts.phone = texts.phone.reworded(own, &self.language);
        }
        texts
    }

    /// Checks what a version of a form says in place of these texts: its sections and keys, and that what is filled in
    /// stays the same.
    ///
    /// # Errors
    /// Where it is not so.
    pub fn check_own(&self, form: &Form) -> Result<(), BadForm> {
        for (section, own) in &form.texts {
            let fail = |key: Option<&str>, message: String| {
                let key = key.map(|key| format!(".{key}")).unwrap_or_default();
                Err(BadForm { path: format!("texts.{section}{key}"), message })
            };
            let known: BTreeMap<&str, &str> = match section.as_str() {
                "kiosk" => self.kiosk.all().collect(),
                "phone" => self.phone.all().collect(),
                _ => return fail(None, "expected the section kiosk or phone".into()),
            };
            for (key, text) in own {
                let Some(usual) = known.get(key.as_str()) else {
                    return fail(Some(key), format!("expected the key of a text of {section}"));
                };
                let Some(text) = text.get(&self.language) else { continue };
                if filled_in(text) != filled_in(usual) {
                    let expected = filled_in(usual).into_iter().collect::<Vec<_>>().join(", ");
                    let message = if expected.is_empty() {
                        "expected a text in which nothing is filled in".to_owned()
                    } else {
                        format!("expected a text with {expected}")
                    };
                    return fail(Some(key), message);
                }
            }
        }
        Ok(())
    }

    /// A counter by its number: “Quầy 3”.
    pub fn counter_of(&self, number: u16) -> String {
        self.counter.replace("{number}", &number.to_string())
    }
}

/// The `{name}`s of a text.
fn filled_in(text: &str) -> BTreeSet<&str> {
    let names = text.match_indices('{').filter_map(|(from, _)| {
        let end = text[from..].find('}')?;
        Some(&text[from..=from + end])
    });
    names.collect()
}

/// A text with what stands for its `{name}`s.
pub fn fill(text: &str, values: &[(&str, &dyn std::fmt::Display)]) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{name}}}"), &value.to_string())
    })
}

impl SummaryTexts {
    /// How far a period's figures can still change.
    pub fn period_state(&self, state: State) -> &str {
        match state {
            State::Open => &self.period_state_open,
            State::Provisional => &self.period_state_provisional,
            State::Complete => &self.period_state_complete,
            State::Final => &self.period_state_final,
        }
    }

    /// How far a summary's figures can still change, as of `now`.
    pub fn state(&self, summary: &Summary, now: At) -> String {
        if summary.to.is_some() {
            return self.period_state(summary.state).to_owned();
        }
        let provisional = match summary.state {
            State::Open => {
                let time = now.civil().strftime("%H:%M").to_string();
                fill(&self.state_open, &[("time", &time)])
            }
            State::Provisional => {
                fill(&self.state_provisional, &[("n", &summary.silent_kiosks.len())])
            }
            State::Complete => return self.state_complete.clone(),
            State::Final => return self.state_final.clone(),
        };
        if summary.phone_waiting == 0 {
            return provisional;
        }
        format!("{provisional} · {}", fill(&self.state_waiting, &[("n", &summary.phone_waiting)]))
    }

    /// “Tháng 11/2026”.
    pub fn period(&self, period: Period) -> String {
        let short = |date: Date| format!("{:02}/{:02}", date.day(), date.month());
        let whole = |date: Date| format!("{}/{}", short(date), date.year());
        let (from, to) = (period.from(), period.to());
        match period.kind() {
            period::Kind::Day => self.date(from),
            period::Kind::Week(year, n) => fill(
                &self.period_week,
                &[("n", &n), ("year", &year), ("from", &short(from)), ("to", &whole(to))],
            ),
            period::Kind::Month(year, n) => {
                let n = format!("{n:02}");
                fill(&self.period_month, &[("n", &n), ("year", &year)])
            }
            period::Kind::Quarter(year, n) => {
                let n = ["I", "II", "III", "IV"][usize::from(n.unsigned_abs() - 1) % 4];
                fill(&self.period_quarter, &[("n", &n), ("year", &year)])
            }
            period::Kind::Year(year) => fill(&self.period_year, &[("year", &year)]),
            period::Kind::Range => {
                fill(&self.period_range, &[("from", &whole(from)), ("to", &whole(to))])
            }
        }
    }

    /// “9 giờ 30 phút”.
    pub fn duration(&self, minutes: u64) -> String {
        let (hours, minutes) = (minutes / 60, minutes % 60);
        let text = if minutes == 0 { &self.duration_hours } else { &self.duration };
        fill(text, &[("hours", &hours), ("minutes", &minutes)])
    }

    /// What signals say of their counters: one sentence a counter and kind.
    pub fn signals(&self, signals: &[Signal]) -> Vec<(CounterId, String)> {
        let alike = |a: &Signal, b: &Signal| (&a.counter, a.kind) == (&b.counter, b.kind);
        let say = |of_kind: &[Signal]| {
            let first = of_kind.first()?;
            let text = match first.kind {
                Kind::Burst => &self.signal_burst,
                Kind::Even => &self.signal_even,
                Kind::Quick => &self.signal_quick,
                Kind::ClosedHours => &self.signal_closed_hours,
                Kind::Unattributed => &self.signal_unattributed,
                Kind::PhoneDiffers => &self.signal_phone_differs,
                Kind::OneSource => &self.signal_one_source,
            };
            let times: Vec<String> = of_kind.iter().map(|one| self.evidence(one)).collect();
            Some((first.counter.clone(), fill(text, &[("times", &times.join("; "))])))
        };
        signals.chunk_by(alike).filter_map(say).collect()
    }

    /// “6 lượt từ 09:00 đến 09:02”.
    fn evidence(&self, signal: &Signal) -> String {
        let time = |at: At| at.civil().strftime("%H:%M").to_string();
        let same = signal.from == signal.to;
        let when = if same { &self.signal_minute } else { &self.signal_from_to };
        let when = fill(when, &[("from", &time(signal.from)), ("to", &time(signal.to))]);
        match &signal.of {
            Some(of) => fill(&self.signal_share, &[("n", &signal.n), ("of", of), ("when", &when)]),
            None => fill(&self.signal_some, &[("n", &signal.n), ("when", &when)]),
        }
    }

    /// “Thứ Ba, 24/11/2026”.
    pub fn date(&self, date: Date) -> String {
        let day = match date.weekday() {
            Weekday::Monday => &self.monday,
            Weekday::Tuesday => &self.tuesday,
            Weekday::Wednesday => &self.wednesday,
            Weekday::Thursday => &self.thursday,
            Weekday::Friday => &self.friday,
            Weekday::Saturday => &self.saturday,
            Weekday::Sunday => &self.sunday,
        };
        format!("{day}, {:02}/{:02}/{}", date.day(), date.month(), date.year())
    }
}
