//! What citizens write to an office, as it is handed on: never with anything that tells who wrote it.

use super::ids::Hash;

/// Fewest digits of what is taken for a telephone or identity number.
const LEAST_DIGITS: usize = 9;

/// The text with telephone and identity numbers masked: nine digits or more, with spaces, dots, dashes or
/// a plus between them or not.
pub fn masked(text: &str) -> String {
    let joins = |character: char| {
        matches!(
            character,
            ' ' | '.' | '-' | '+' | '(' | ')' | '/' | '_' | '–' | '—' | '\u{a0}' | '\u{200b}'
        )
    };
    let characters: Vec<char> = text.chars().collect();
    let mut masked = characters.clone();
    let mut start = 0;
    while start < characters.len() {
        if !characters[start].is_numeric() {
            start += 1;
            continue;
        }
        let run = characters[start..].iter();
        let end = start + run.take_while(|one| one.is_numeric() || joins(**one)).count();
        let digits = characters[start..end].iter().filter(|one| one.is_numeric()).count();
        if digits >= LEAST_DIGITS {
            let digits = masked[start..end].iter_mut().filter(|one| one.is_numeric());
            digits.for_each(|digit| *digit = '•');
        }
        start = end;
    }
    masked.into_iter().collect()
}

/// The comments of a day that is over, in an order that tells nothing of when each was written, with numbers
/// masked. Before that there are none: whoever saw one appear would know who had just left.
pub fn released(mut texts: Vec<String>) -> Vec<String> {
    // The same texts are always in the same order.
    texts.sort_by_cached_key(|text| Hash::of(text.as_bytes()).0);
    texts.into_iter().map(|text| masked(&text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn telephone_and_identity_numbers_are_masked() {
        for (text, told) in [
            ("Gọi tôi 0912345678 nhé", "Gọi tôi •••••••••• nhé"),
            ("0912 345 678", "•••• ••• •••"),
            ("+84 (912) 345.678", "+•• (•••) •••.•••"),
            ("CCCD 033099001234.", "CCCD ••••••••••••."),
            ("CMND 145-678-901", "CMND •••-•••-•••"),
            ("0912–345\u{a0}678", "••••–•••\u{a0}•••"),
            ("chờ từ 8:30 đến 10:45, quầy 3", "chờ từ 8:30 đến 10:45, quầy 3"),
            ("ngày 24/11/2026", "ngày 24/11/2026"),
            ("H15.50.05.13-261008-0975", "H••.••.••.••-••••••-••••"),
        ] {
            assert_eq!(masked(text), told);
        }
    }

    #[test]
    fn the_order_tells_nothing_of_when_each_was_written() {
        let texts = |order: [usize; 4]| {
            let all = ["Cảm ơn", "Chờ lâu", "Số tôi 0912345678", "Rất tốt"];
            released(order.map(|at| all[at].to_owned()).to_vec())
        };
        assert_eq!(texts([0, 1, 2, 3]), texts([3, 1, 0, 2]));
        assert!(texts([0, 1, 2, 3]).contains(&"Số tôi ••••••••••".to_owned()));
    }
}
