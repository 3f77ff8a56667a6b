//! How a board looks.

use anstyle::{AnsiColor, Style};
use echoline_server::connect_four::{Board, Side};

/// Column numbers over the rows, everything as wide as the widest number; a line each, the last without LF.
pub(super) fn board(board: &Board, styled: bool) -> String {
    let size = board.size();
    let width = size.columns().to_string().len();
    let line = |cell: &dyn Fn(u8) -> (String, Style)| {
        let cells = (0..size.columns()).map(|column| {
            let (text, style) = cell(column);
            let padding = " ".repeat(width - text.len());
            if styled { format!("{padding}{style}{text}{style:#}") } else { format!("{padding}{text}") }
        });
        cells.collect::<Vec<_>>().join(" ")
    };
    let numbers = line(&|column| ((column + 1).to_string(), Style::new().dimmed()));
    let rows = (0..size.rows()).rev().map(|row| {
        line(&|column| match board.at(column, row) {
            None => (".".to_owned(), Style::new().dimmed()),
            Some(Side::Red) => ("R".to_owned(), AnsiColor::Red.on_default().bold()),
            Some(Side::Yellow) => ("Y".to_owned(), AnsiColor::Yellow.on_default().bold()),
        })
    });
    std::iter::once(numbers).chain(rows).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use echoline_server::connect_four::{Move, Size};

    use super::*;

    #[test]
    fn wide_numbers_stand_over_their_columns() {
        let mut position = Board::new(Size::new(11, 4).unwrap());
        for column in [10, 9, 10] {
            position.play(Move::Drop(column)).unwrap();
        }
        let expected = [
            " 1  2  3  4  5  6  7  8  9 10 11",
            " .  .  .  .  .  .  .  .  .  .  .",
            " .  .  .  .  .  .  .  .  .  .  .",
            " .  .  .  .  .  .  .  .  .  .  R",
            " .  .  .  .  .  .  .  .  .  Y  R",
        ]
        .join("\n");
        assert_eq!(board(&position, false), expected);
        assert_eq!(anstream::adapter::strip_str(&board(&position, true)).to_string(), expected);
    }
}
