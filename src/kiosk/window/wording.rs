//! The words that no page and no visitor changes, brought to the screen.

use slint::{Global, SharedString};

use super::ui;
use crate::texts::KioskTexts;

/// Where codes are checked, as people type it: what they need not type is left out, and a host is
/// easier to read in small letters.
pub fn typed(public_url: &str) -> String {
    let address = public_url.split_once("://").map_or(public_url, |(_, address)| address);
    let (host, path) = address.split_at(address.find('/').unwrap_or(address.len()));
    format!("{}{path}/check", host.to_lowercase())
}

pub fn fill_texts(app: &ui::AppWindow, texts: &KioskTexts, notice: &str) {
    let shown = ui::Texts::get(app);
    let text = |text: &String| SharedString::from(text.as_str());
    shown.set_home_instruction(text(&texts.home_instruction));
    shown.set_official_label(text(&texts.official_label));
    shown.set_promise(text(&texts.promise));
    shown.set_later_button(text(&texts.later_button));
    shown.set_notice_button(text(&texts.notice_button));
    shown.set_notice_title(notice.into());
    shown.set_who_title(text(&texts.who_title));
    shown.set_who_nobody(text(&texts.who_nobody));
    shown.set_back(text(&texts.back));
    shown.set_reasons_title(text(&texts.reasons_title));
    shown.set_reasons_help(text(&texts.reasons_help));
    shown.set_reasons_change(text(&texts.reasons_change));
    shown.set_reasons_timeout(text(&texts.reasons_timeout));
    shown.set_reasons_words(text(&texts.reasons_words));
    shown.set_more_time(text(&texts.more_time));
    shown.set_more_time_anywhere(text(&texts.more_time_anywhere));
    shown.set_more_time_button(text(&texts.more_time_button));
    shown.set_invitation(text(&texts.invitation));
    shown.set_decline(text(&texts.decline));
    shown.set_mode_large(text(&texts.mode_large));
    shown.set_mode_contrast(text(&texts.mode_contrast));
    shown.set_mode_low(text(&texts.mode_low));
    shown.set_words_title(text(&texts.words_title));
    shown.set_words_help(text(&texts.words_help));
    shown.set_words_phone(text(&texts.words_phone));
    shown.set_words_back(text(&texts.words_back));
    shown.set_words_space(text(&texts.words_space));
    shown.set_words_delete(text(&texts.words_delete));
    shown.set_words_capitals(text(&texts.words_capitals));
    shown.set_rest_touch(text(&texts.rest_touch));
    shown.set_staff_title(text(&texts.staff_title));
    shown.set_staff_code(text(&texts.staff_code));
    shown.set_staff_code_help(text(&texts.staff_code_help));
    shown.set_staff_counter(text(&texts.staff_counter));
    shown.set_staff_maintenance(text(&texts.staff_maintenance));
    shown.set_staff_elsewhere(text(&texts.staff_elsewhere));
    shown.set_staff_touch(text(&texts.staff_touch));
    shown.set_staff_touch_help(text(&texts.staff_touch_help));
    shown.set_staff_export(text(&texts.staff_export));
    shown.set_staff_leave(text(&texts.staff_leave));
    shown.set_staff_leave_title(text(&texts.staff_leave_title));
    shown.set_staff_leave_help(text(&texts.staff_leave_help));
    shown.set_staff_done(text(&texts.staff_done));
    shown.set_procedures_button(text(&texts.procedures_button));
    shown.set_procedures_help(text(&texts.procedures_help));
    shown.set_procedure_time(text(&texts.procedure_time));
    shown.set_procedure_fee(text(&texts.procedure_fee));
    shown.set_procedure_field(text(&texts.procedure_field));
    shown.set_procedure_papers(text(&texts.procedure_papers));
    shown.set_list_before(text(&texts.list_before));
    shown.set_list_next(text(&texts.list_next));
    shown.set_slip_button(text(&texts.slip_button));
    shown.set_slip_title(text(&texts.slip_title));
    shown.set_slip_help(text(&texts.slip_help));
    shown.set_slip_used(text(&texts.slip_used));
    shown.set_slip_unreadable(text(&texts.slip_unreadable));
    shown.set_slip_example(text(&texts.slip_example));
    shown.set_slip_promise(text(&texts.slip_promise));
    shown.set_slip_send(text(&texts.slip_send));
    shown.set_slip_who(text(&texts.slip_who));
    shown.set_skip(text(&texts.skip));
    shown.set_send(text(&texts.send));
    shown.set_thanks_title(text(&texts.thanks_title));
    shown.set_thanks_kept(text(&texts.thanks_kept));
    shown.set_thanks_code_button(text(&texts.thanks_code_button));
    shown.set_thanks_code_title(text(&texts.thanks_code_title));
    shown.set_thanks_more_title(text(&texts.thanks_more_title));
    shown.set_thanks_more(text(&texts.thanks_more));
    shown.set_later_title(text(&texts.later_title));
    shown.set_later_text(text(&texts.later_text));
    shown.set_later_done(text(&texts.later_done));
    shown.set_not_kept(text(&texts.not_kept));
    shown.set_paused(text(&texts.paused));
    shown.set_staff_note(text(&texts.staff_note));
}
