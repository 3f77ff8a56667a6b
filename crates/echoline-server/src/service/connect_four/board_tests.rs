//! The rules against a plain reference: lists of pieces, and four in a row looked for cell by cell.

use proptest::prelude::*;

use super::*;

struct Plain {
    size: Size,
    turn: Side,
    columns: Vec<Vec<Side>>,
}

impl Plain {
    fn new(size: Size) -> Self {
        Self { size, turn: Side::Red, columns: vec![Vec::new(); size.columns().into()] }
    }

    fn play(&mut self, it: Move) -> Option<Option<Side>> {
        let mover = self.turn;
        let column = self.columns.get_mut(usize::from(it.column()))?;
        match it {
            Move::Drop(_) if column.len() < self.size.rows().into() => column.push(mover),
            Move::Pop(_) if column.first() == Some(&mover) => drop(column.remove(0)),
            _ => return None,
        }
        self.turn = mover.other();
        Some([mover, mover.other()].into_iter().find(|side| self.has_four(*side)))
    }

    fn at(&self, column: i32, row: i32) -> Option<Side> {
        let (column, row) = (usize::try_from(column).ok()?, usize::try_from(row).ok()?);
        self.columns.get(column)?.get(row).copied()
    }

    fn has_four(&self, side: Side) -> bool {
        let (columns, rows) = (i32::from(self.size.columns()), i32::from(self.size.rows()));
        let cells = (0..columns).flat_map(|column| (0..rows).map(move |row| (column, row)));
        cells.into_iter().any(|(column, row)| {
            [(1, 0), (0, 1), (1, 1), (1, -1)].into_iter().any(|(right, up)| {
                (0..4).all(|step| self.at(column + right * step, row + up * step) == Some(side))
            })
        })
    }
}

fn any_size() -> impl Strategy<Value = Size> {
    (MIN_EDGE..=MAX_EDGE, MIN_EDGE..=MAX_EDGE).prop_map(|(columns, rows)| Size::new(columns, rows).unwrap())
}

/// Plays on one and on the other until somebody has won, and compares everything on the way.
fn compare(size: Size, tries: &[(bool, u8)]) -> Result<Option<Side>, TestCaseError> {
    let (mut board, mut plain) = (Board::new(size), Plain::new(size));
    for &(pops, column) in tries {
        let column = column % (size.columns() + 1);
        let it = if pops { Move::Pop(column) } else { Move::Drop(column) };
        let (before, turn) = (board, board.turn());
        let won = board.play(it);
        prop_assert_eq!(before.allows(it), won.is_ok());
        prop_assert_eq!(before.moves().any(|legal| legal == it), won.is_ok());
        prop_assert_eq!(won.ok(), plain.play(it));
        if won.is_err() {
            prop_assert_eq!(board, before);
            continue;
        }
        prop_assert_eq!(board.turn(), turn.other());
        for column in 0..=size.columns() {
            for row in 0..=size.rows() {
                prop_assert_eq!(board.at(column, row), plain.at(column.into(), row.into()));
            }
        }
        if let Ok(Some(side)) = won {
            return Ok(Some(side));
        }
        prop_assert!(board.moves().next().is_some(), "{:?}", board);
    }
    Ok(None)
}

proptest! {
    #[test]
    fn every_size_follows_the_plain_rules(
        size in any_size(),
        tries in prop::collection::vec((prop::bool::weighted(0.3), any::<u8>()), 0..500),
    ) {
        compare(size, &tries)?;
    }

    /// On a small board, full of pops, somebody always can move and most games end.
    #[test]
    fn small_boards_follow_the_plain_rules(
        rows in MIN_EDGE..=6,
        tries in prop::collection::vec((any::<bool>(), any::<u8>()), 0..300),
    ) {
        compare(Size::new(4, rows).unwrap(), &tries)?;
    }

    #[test]
    fn a_move_reads_back_from_its_text(column in 0..=254_u8, pops in any::<bool>()) {
        let it = if pops { Move::Pop(column) } else { Move::Drop(column) };
        prop_assert_eq!(Move::parse(it.to_string().as_bytes()), Some(it));
    }
}

fn play(board: &mut Board, moves: &str) -> Option<Side> {
    let mut won = None;
    for it in moves.split(", ") {
        assert_eq!(won, None, "the game was over before {it}");
        won = board.play(Move::parse(it.as_bytes()).unwrap()).unwrap();
    }
    won
}

/// Row by row from the bottom; `x` for red, `o` for yellow, `.` for none.
fn position(turn: Side, rows: &[&str]) -> Board {
    let mut board = Board::new(Size::STANDARD);
    board.turn = turn;
    for (row, text) in rows.iter().enumerate() {
        for (column, cell) in text.bytes().enumerate() {
            let bit = 1 << row;
            board.pieces[0][column] |= if cell == b'x' { bit } else { 0 };
            board.pieces[1][column] |= if cell == b'o' { bit } else { 0 };
        }
    }
    board
}

#[test]
fn four_in_every_direction_win() {
    let across = "DROP 1, DROP 1, DROP 2, DROP 2, DROP 3, DROP 3, DROP 4";
    let upwards = "DROP 7, DROP 1, DROP 7, DROP 1, DROP 7, DROP 1, DROP 7";
    for moves in [across, upwards] {
        assert_eq!(play(&mut Board::new(Size::STANDARD), moves), Some(Side::Red), "{moves}");
    }
    let rising = ["ooox...", "oox....", "ox.....", "......."];
    let mut board = position(Side::Red, &rising);
    assert_eq!(board.play(Move::Drop(0)).unwrap(), Some(Side::Red));
    let mut board = position(Side::Red, &["...xooo", "....xoo", ".....xo"]);
    assert_eq!(board.play(Move::Drop(6)).unwrap(), Some(Side::Red));
}

#[test]
fn after_a_pop_that_gives_both_four_the_popper_wins() {
    // The fourth column slides down by one and completes both rows.
    let mut board = position(Side::Red, &["ooox...", "xxxo...", "...x..."]);
    assert_eq!(board.play(Move::Pop(3)).unwrap(), Some(Side::Red));
    let mut board = position(Side::Yellow, &["xxxo...", "ooox...", "...o..."]);
    assert_eq!(board.play(Move::Pop(3)).unwrap(), Some(Side::Yellow));
}

#[test]
fn a_pop_that_gives_only_the_other_side_four_loses() {
    let mut board = position(Side::Yellow, &["xxxo...", "oo.x..."]);
    assert_eq!(board.play(Move::Pop(3)).unwrap(), Some(Side::Red));
}

#[test]
fn what_is_no_move_is_not_read() {
    for text in [
        "", "DROP", "DROP 0", "DROP -1", "DROP +1", "DROP 1 2", "drop 1", "DROP x", "POP 256", "PUSH 1",
        "DROP\t1",
    ] {
        assert_eq!(Move::parse(text.as_bytes()), None, "{text:?}");
    }
    assert_eq!(Move::parse(b" DROP  10 "), Some(Move::Drop(9)));
}
