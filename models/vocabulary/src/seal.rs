//! The end of a token: what it has to lead to, and a check of its own text.

/// The most bytes of a token.
pub const MAX_LENGTH: usize = 65_536;

/// The bits of a checksum that a token has.
pub const CHECKSUM: u32 = 0xff_ffff;

/// A check of 16 bits over the text before it.
fn check(text: &str) -> u32 {
    crc32fast::hash(text.as_bytes()) & 0xffff
}

/// The fields of a token with its end: six digits of the checksum, and four of the check.
pub fn sealed(fields: &str, checksum: u32) -> String {
    let text = format!("{fields}:{:06x}", checksum & CHECKSUM);
    let own = check(&text);
    format!("{text}{own:04x}")
}

/// The checksum of a token. Nothing if its check does not fit.
pub fn unsealed(token: &str) -> Option<u32> {
    let (_, end) = token.rsplit_once(':')?;
    if end.len() != 10 || !end.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    let (text, own) = token.split_at(token.len() - 4);
    let fits = u32::from_str_radix(own, 16) == Ok(check(text));
    u32::from_str_radix(&end[..6], 16).ok().filter(|_| fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_with_another_character_never_has_a_checksum() {
        let token = sealed("x1:a:b", 0x12_3456);
        assert_eq!(unsealed(&token), Some(0x12_3456));
        for place in 0..token.len() {
            let other = if &token[place..=place] == "7" { "8" } else { "7" };
            let wrong = format!("{}{other}{}", &token[..place], &token[place + 1..]);
            assert_eq!(unsealed(&wrong), None, "{wrong}");
        }
        assert_eq!(unsealed("no colon"), None);
        assert_eq!(unsealed("x1:\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"), None);
    }
}
