//! The fingerprint of a kiosk's key, in words that two people compare: one at the counter, one at
//! the central service.
//!
//! Six words of 256, the first 48 bits of the key's SHA-256. They differ from each other also
//! without their marks. Within the 15 minutes of a code nobody finds another key with the same
//! words.

use super::ids::Hash;

/// How many words.
const WORDS: usize = 6;

/// The words of a key.
pub fn fingerprint(key: &[u8; 32]) -> String {
    let hash = Hash::of(key).0;
    let words: Vec<&str> = hash.iter().take(WORDS).map(|byte| LIST[usize::from(*byte)]).collect();
    words.join(" ")
}

/// Whether these are the words of a key, however they are spaced.
pub fn is_fingerprint(words: &str, key: &[u8; 32]) -> bool {
    let typed: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
    typed.join(" ") == fingerprint(key)
}

#[rustfmt::skip]
const LIST: [&str; 256] = [
    "sông", "núi", "biển", "mây", "gió", "mưa", "nắng", "trăng", "sao", "trời", "đất", "đá",
    "cát", "đồi", "rừng", "suối", "hồ", "ao", "đầm", "vịnh", "đảo", "bờ", "bến", "cầu", "đường",
    "ngõ", "làng", "xóm", "phố", "chợ", "nhà", "cửa", "mái", "sân", "vườn", "giếng", "cổng",
    "tường", "cột", "bàn", "ghế", "tủ", "giường", "đèn", "quạt", "gương", "lược", "khăn", "mũ",
    "quần", "giày", "dép", "túi", "ví", "gạo", "lúa", "khoai", "đậu", "vừng", "lạc", "rau", "bí",
    "bầu", "mướp", "hành", "tỏi", "gừng", "ớt", "nghệ", "sả", "tiêu", "muối", "mật", "trứng",
    "thịt", "cá", "tôm", "ốc", "mực", "chanh", "cam", "quýt", "bưởi", "chuối", "xoài", "mít",
    "ổi", "táo", "lê", "nho", "dừa", "vải", "nhãn", "hồng", "mận", "mơ", "khế", "sen", "cúc",
    "lan", "huệ", "hoa", "lá", "cành", "rễ", "quả", "hạt", "trâu", "ngựa", "dê", "lợn", "gà",
    "vịt", "ngan", "mèo", "thỏ", "hươu", "nai", "voi", "gấu", "khỉ", "rùa", "ếch", "ong", "bướm",
    "kiến", "ve", "nhện", "chim", "cò", "két", "yến", "tay", "chân", "lưng", "mũi", "tai", "tóc",
    "răng", "môi", "bút", "sách", "vở", "thước", "kéo", "thìa", "bát", "đĩa", "nồi", "chảo",
    "ấm", "chén", "ly", "bình", "lọ", "chai", "hộp", "thùng", "thuyền", "xe", "tàu", "bè", "neo",
    "dây", "lưới", "cần", "phao", "trống", "chiêng", "kèn", "đàn", "nhị", "tranh", "khung",
    "vàng", "bạc", "đồng", "sắt", "thép", "kẽm", "chì", "gỗ", "tre", "nứa", "bông", "len",
    "gạch", "ngói", "xi", "sơn", "xanh", "tím", "nâu", "đỏ", "một", "hai", "ba", "bốn", "năm",
    "sáu", "bảy", "tám", "chín", "trăm", "nghìn", "xuân", "hạ", "thu", "sáng", "trưa", "chiều",
    "ngày", "tháng", "tuần", "phút", "vui", "hiền", "ngoan", "chăm", "khéo", "nhanh", "cao",
    "thấp", "dài", "rộng", "hẹp", "tròn", "vuông", "mỏng", "nhẹ", "cứng", "mềm", "nóng", "lạnh",
    "cũ", "bánh", "bún", "xôi", "chè", "nem", "sữa", "bàng", "phượng", "thông", "tùng", "quế",
    "hồi", "lim", "măng", "tép", "hến", "sò", "nghêu", "lươn", "chạch", "cóc",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_another() {
        let words: std::collections::BTreeSet<&str> = LIST.into_iter().collect();
        assert_eq!(words.len(), 256);
        let key = [7; 32];
        let words = fingerprint(&key);
        assert_eq!(words.split(' ').count(), WORDS);
        assert!(is_fingerprint(&format!("  {} ", words.to_uppercase().replace(' ', "  ")), &key));
        assert!(!is_fingerprint(&words, &[8; 32]));
    }
}
