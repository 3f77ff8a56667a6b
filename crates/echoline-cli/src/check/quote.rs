//! The words of a line, where a quotation of what the other side said is one word.

/// The words of a line, where a quotation belongs to one word: broken, it would no longer be what
/// was said.
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
        let line = r#"it sent "say \"a b\" \n", and  more"#;
        assert_eq!(words(line), ["it", "sent", r#""say \"a b\" \n","#, "and", "", "more"]);
        assert_eq!(words(""), [""]);
    }
}
