//! The page of a code: what it means, what causes it, what to do.
//!
//! Each page is a text file in `pages/`: the title, a line `So: ...`, the meaning, then the lists
//! `Causes:`, `How to tell:` and `Next:`, with empty lines between. Lines are wrapped freely.

use std::fmt;

/// How wide `Display` writes a page, in characters.
const WIDTH: usize = 78;

/// The text for one code. `Display` writes all of it, wrapped at 78 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The code as it is written, such as `no-answer`.
    pub code: &'static str,
    /// What happened, in one line.
    pub title: String,
    /// What that most likely means, in one line.
    pub so: String,
    /// What it means, in a paragraph.
    pub meaning: String,
    /// What causes it, the most frequent first. Never empty.
    pub causes: Vec<String>,
    /// How to tell the causes apart. Never empty.
    pub tell: Vec<String>,
    /// What to do, the first step first. Never empty.
    pub next: Vec<String>,
}

impl Page {
    /// Reads the text of a page. A part that is missing stays empty; a test looks at every page.
    pub(crate) fn parse(code: &'static str, text: &str) -> Self {
        let mut page = Self {
            code,
            title: String::new(),
            so: String::new(),
            meaning: String::new(),
            causes: Vec::new(),
            tell: Vec::new(),
            next: Vec::new(),
        };
        for block in text.split("\n\n") {
            let (head, items) = block.split_once('\n').unwrap_or((block, ""));
            match head {
                "Causes:" => page.causes = list(items),
                "How to tell:" => page.tell = list(items),
                "Next:" => page.next = list(items),
                _ if head.starts_with("So: ") => page.so = joined(block.trim_start_matches("So: ")),
                _ if page.title.is_empty() => page.title = joined(block),
                _ => page.meaning = joined(block),
            }
        }
        page
    }
}

/// The lines of a paragraph as one line.
fn joined(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The items of a list; each begins with `- ` and may go on, indented.
fn list(items: &str) -> Vec<String> {
    items.strip_prefix("- ").unwrap_or(items).split("\n- ").map(joined).collect()
}

impl fmt::Display for Page {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.code)?;
        wrapped(f, &self.title, "  ", "  ")?;
        wrapped(f, &self.meaning, "\n  ", "  ")?;
        let lists =
            [("What causes it", &self.causes), ("How to tell", &self.tell), ("What to do", &self.next)];
        for (heading, items) in lists {
            writeln!(f, "\n{heading}")?;
            for item in items {
                wrapped(f, item, "  - ", "    ")?;
            }
        }
        Ok(())
    }
}

/// Writes `text` as lines of at most [`WIDTH`] characters. The text is ASCII.
fn wrapped(f: &mut fmt::Formatter<'_>, text: &str, first: &str, indent: &str) -> fmt::Result {
    f.write_str(first)?;
    let mut column = indent.len().max(first.trim_start_matches('\n').len());
    let mut at_start = true;
    for word in text.split_whitespace() {
        if !at_start && column + 1 + word.len() > WIDTH {
            write!(f, "\n{indent}{word}")?;
            column = indent.len() + word.len();
        } else {
            let space = if at_start { "" } else { " " };
            write!(f, "{space}{word}")?;
            column += space.len() + word.len();
        }
        at_start = false;
    }
    f.write_str("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::Code;

    #[test]
    fn every_code_has_a_full_page_of_its_own() {
        for code in Code::all() {
            let page = code.page();
            assert_eq!(page.code, code.as_str());
            assert!(!page.title.is_empty() && !page.so.is_empty() && !page.meaning.is_empty(), "{code}");
            for list in [&page.causes, &page.tell, &page.next] {
                assert!(!list.is_empty(), "{code}");
                assert!(list.iter().all(|item| item.len() > 10), "{code}");
            }
            for line in [&page.title, &page.so, &page.next[0]] {
                assert!(line.len() <= 100, "{code}: one line is one line: {line}");
            }
        }
    }

    #[test]
    fn a_page_fits_a_narrow_terminal() {
        for code in Code::all() {
            for line in code.page().to_string().lines() {
                assert!(line.len() <= WIDTH && line.is_ascii() && line.trim_end() == line, "{line}");
            }
        }
    }

    #[test]
    fn a_file_of_a_page_has_lines_of_100_columns_at_most_and_no_part_twice() {
        for code in Code::all() {
            let path = format!("{}/src/pages/{code}.txt", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read_to_string(&path).unwrap();
            assert!(text.lines().all(|line| line.chars().count() <= 100), "{path}");
            assert_eq!(text.split("\n\n").count(), 6, "{path} has six parts");
        }
    }
}
