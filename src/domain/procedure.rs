//! The administrative procedures that an office posts for everybody to read (*niêm yết công khai TTHC*), and
//! finding one among them by a few words.
//!
//! A list is named by the SHA-256 of its JSON, as photos are: it is sent once, not again with every change
//! of a roster.

use serde::{Deserialize, Serialize};

/// Most procedures of an office; a commune has about 400.
pub const MOST: usize = 2_000;
/// Most bytes of their JSON.
pub const MOST_BYTES: usize = 2 << 20;

/// A procedure, as it hangs on the wall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Procedure {
    /// What it is called.
    pub name: String,
    /// What it is about (*lĩnh vực*).
    pub field: String,
    /// How long it may take; empty when the list does not say.
    pub time_limit: String,
    /// What it costs; empty when the list does not say.
    pub fee: String,
    /// What is to be handed in, one by one.
    pub papers: Vec<String>,
}

/// Places of those whose name or field has all the query's words, without accents or case (đ is d), best
/// first; a query without words finds all, as they are listed.
///
/// Best are those that have the words with the accents that were typed, then those whose name begins with
/// the query, has it as it stands, has its words at the beginnings of words, has them anywhere; of equals
/// those listed first. Half a word is one, since people look while they type.
pub fn find(procedures: &[Procedure], query: &str) -> Vec<usize> {
    let folded = folded(query);
    let words: Vec<&str> = folded.split(' ').filter(|word| !word.is_empty()).collect();
    let typed = query.to_lowercase();
    let typed: Vec<&str> = typed.split_whitespace().filter(|word| !word.is_ascii()).collect();
    let mut found: Vec<(bool, u8, usize)> = procedures
        .iter()
        .enumerate()
        .filter_map(|(place, one)| {
            let rank = rank(one, &words)?;
            Some((!typed.is_empty() && !has_all(one, &typed), rank, place))
        })
        .collect();
    found.sort_unstable();
    found.into_iter().map(|(.., place)| place).collect()
}

/// How well a procedure answers the words of a query, 0 best; none when one of them is missing.
fn rank(procedure: &Procedure, words: &[&str]) -> Option<u8> {
    let name = folded(&procedure.name);
    // A space before each word tells its beginning.
    let begins =
        |text: &str, word: &str| text.match_indices(word).any(|(at, _)| text[..at].ends_with(' '));
    let whole = words.join(" ");
    if name[1..].starts_with(&whole) {
        Some(0)
    } else if begins(&name, &whole) {
        Some(1)
    } else if words.iter().all(|word| begins(&name, word)) {
        Some(2)
    } else if words.iter().all(|word| name.contains(word)) {
        Some(3)
    } else {
        let field = folded(&procedure.field);
        words.iter().all(|word| name.contains(word) || field.contains(word)).then_some(4)
    }
}

fn has_all(procedure: &Procedure, words: &[&str]) -> bool {
    let (name, field) = (procedure.name.to_lowercase(), procedure.field.to_lowercase());
    words.iter().all(|word| name.contains(word) || field.contains(word))
}

/// The words of a text in small letters without accents, a space before each; one space for no words.
pub(super) fn folded(text: &str) -> String {
    let mut plain = String::with_capacity(text.len() + 1);
    plain.push(' ');
    for letter in text.chars() {
        match base(letter) {
            Some(' ') if plain.ends_with(' ') => {}
            Some(letter) => plain.push(letter),
            None => {}
        }
    }
    if plain.len() > 1 && plain.ends_with(' ') {
        plain.pop();
    }
    plain
}

/// A letter without accents and case; a space for what stands between words, none for an accent of its own.
fn base(letter: char) -> Option<char> {
    if letter.is_ascii_alphanumeric() {
        return Some(letter.to_ascii_lowercase());
    }
    if letter.is_ascii() {
        return Some(' ');
    }
    let small = letter.to_lowercase().next().unwrap_or(letter);
    match small {
        '\u{300}'..='\u{36f}' => None,
        'à' | 'á' | 'ả' | 'ã' | 'ạ' | 'ă' | 'ằ' | 'ắ' | 'ẳ' | 'ẵ' | 'ặ' | 'â' | 'ầ' | 'ấ' | 'ẩ'
        | 'ẫ' | 'ậ' => Some('a'),
        'đ' => Some('d'),
        'è' | 'é' | 'ẻ' | 'ẽ' | 'ẹ' | 'ê' | 'ề' | 'ế' | 'ể' | 'ễ' | 'ệ' => {
            Some('e')
        }
        'ì' | 'í' | 'ỉ' | 'ĩ' | 'ị' => Some('i'),
        'ò' | 'ó' | 'ỏ' | 'õ' | 'ọ' | 'ô' | 'ồ' | 'ố' | 'ổ' | 'ỗ' | 'ộ' | 'ơ' | 'ờ' | 'ớ' | 'ở'
        | 'ỡ' | 'ợ' => Some('o'),
        'ù' | 'ú' | 'ủ' | 'ũ' | 'ụ' | 'ư' | 'ừ' | 'ứ' | 'ử' | 'ữ' | 'ự' => {
            Some('u')
        }
        'ỳ' | 'ý' | 'ỷ' | 'ỹ' | 'ỵ' => Some('y'),
        other if other.is_alphanumeric() => Some(other),
        _ => Some(' '),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn procedure(name: &str, field: &str) -> Procedure {
        let (name, field) = (name.to_owned(), field.to_owned());
        Procedure { name, field, time_limit: String::new(), fee: String::new(), papers: vec![] }
    }

    fn some() -> Vec<Procedure> {
        [
            ("Đăng ký khai sinh", "Hộ tịch"),
            ("Thủ tục đăng ký lại khai sinh", "Hộ tịch"),
            ("Đăng ký hộ kinh doanh", "Thành lập và hoạt động của hộ kinh doanh"),
            ("Chứng thực bản sao từ bản chính", "Chứng thực"),
            ("Xác nhận hợp đồng về việc khai thác", "Đất đai"),
            ("Đăng ký biến động (đổi tên, địa chỉ)", "Đất đai"),
        ]
        .map(|(name, field)| procedure(name, field))
        .to_vec()
    }

    #[test]
    fn words_are_found_without_accents_or_case_in_name_or_field_best_first() {
        let all = some();
        for (query, expected) in [
            ("", &[0, 1, 2, 3, 4, 5][..]),
            (" … ", &[0, 1, 2, 3, 4, 5]),
            ("khai sinh", &[0, 1]),
            ("dang ky", &[0, 2, 5, 1]),
            ("ĐĂNG KÝ KHAI", &[0, 1]),
            ("sinh, khai", &[0, 1]),
            ("dat dai", &[4, 5]),
            ("doi ten dia chi", &[5]),
            ("ban sao dat", &[]),
            ("khai", &[0, 1, 4]),
            ("khai thac dat", &[4]),
            ("anh", &[2]),
        ] {
            let found = find(&all, query);
            assert_eq!(found, expected, "{query:?}");
        }
    }

    #[test]
    fn accents_that_were_typed_come_first_and_decomposed_ones_are_the_same() {
        let all =
            [procedure("Cấp đổi họ tên", "Hộ tịch"), procedure("Đăng ký hộ kinh doanh", "Khác")];
        assert_eq!(find(&all, "ho"), [0, 1]);
        assert_eq!(find(&all, "hộ kinh"), [1]);
        let all = [procedure("Họ tên", "Khác"), procedure("Đăng ký hộ kinh doanh", "Khác")];
        assert_eq!(find(&all, "hộ"), [1, 0]);
        assert_eq!(find(&all, "ho\u{323}\u{302} kinh"), [1], "as another keyboard writes it");
    }
}
