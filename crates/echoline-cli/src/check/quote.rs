//! What the other side said, in quotation marks, so that it is told from what check says.

/// In quotation marks; those inside are escaped, as the rest of it is already.
pub(super) fn quoted(escaped: &str) -> String {
    format!("\"{}\"", escaped.replace('"', "\\\""))
}

/// The words of a line, where a quotation belongs to one word: broken, it would no longer be what was said.
pub(super) fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut begin, mut inside, mut before) = (0, false, ' ');
    for (at, char) in line.char_indices() {
        match char {
            '"' if before != '\\' => inside = !inside,
            ' ' if !inside => {
                words.push(&line[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
        before = char;
    }
    words.push(&line[begin..]);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quotation_is_one_word_whatever_stands_in_it() {
        assert_eq!(quoted(r#"say "a b" \n"#), r#""say \"a b\" \n""#);
        let line = format!("it sent {}, and  more", quoted(r#"say "a b" \n"#));
        assert_eq!(words(&line), ["it", "sent", r#""say \"a b\" \n","#, "and", "", "more"]);
        assert_eq!(words(""), [""]);
    }
}
