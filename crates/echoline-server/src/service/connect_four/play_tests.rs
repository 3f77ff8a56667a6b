use proptest::prelude::*;

use super::super::board::{MAX_EDGE, MIN_EDGE, Side, Size};
use super::*;

/// A position that random play reaches.
fn reach(size: Size, seed: u64, moves: usize) -> Board {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut board = Board::new(size);
    for _ in 0..moves {
        let legal: Vec<_> = board.moves().collect();
        let mut next = board;
        if next.play(random.choice(legal).unwrap()).unwrap().is_some() {
            break;
        }
        board = next;
    }
    board
}

fn reached() -> impl Strategy<Value = Board> {
    (MIN_EDGE..=MAX_EDGE, MIN_EDGE..=MAX_EDGE, any::<u64>(), 0..120_usize)
        .prop_map(|(columns, rows, seed, moves)| reach(Size::new(columns, rows).unwrap(), seed, moves))
}

proptest! {
    #[test]
    fn the_move_is_legal_takes_a_win_in_one_and_avoids_a_loss_in_one(
        board in reached(), looks in 0..20_000_u32, seed in any::<u64>(),
    ) {
        let it = choose(&board, Effort::looks(looks), seed).unwrap();
        prop_assert!(board.allows(it));
        if board.moves().any(|it| wins(&board, it)) {
            prop_assert!(wins(&board, it), "{it} does not win: {board:?}");
        } else if board.moves().any(|it| is_safe(&board, it)) {
            prop_assert!(is_safe(&board, it), "{it} loses: {board:?}");
        }
    }

    #[test]
    fn the_same_seed_makes_the_same_move(board in reached(), seed in any::<u64>()) {
        let choice = || choose(&board, Effort::looks(5_000), seed);
        prop_assert_eq!(choice(), choice());
    }

    /// Alpha-beta finds what a search without cuts finds.
    #[test]
    fn cutting_changes_no_value(seed in any::<u64>(), moves in 0..40_usize, depth in 1..4_i32) {
        let board = reach(Size::new(5, 4).unwrap(), seed, moves);
        let mut search = Search::new(&board, Effort::looks(u32::MAX));
        let cut = search.position(&board, depth, 0, -WIN, WIN);
        prop_assert_eq!(cut, Some(plain_value(&board, depth, 0)));
    }
}

fn plain_value(board: &Board, depth: i32, ply: i32) -> i32 {
    let value = |it| {
        let mut next = *board;
        match next.play(it).unwrap() {
            Some(side) if side == board.turn() => WIN - ply,
            Some(_) => ply - WIN,
            None if depth == 1 => -potential(&next),
            None => -plain_value(&next, depth - 1, ply + 1),
        }
    };
    board.moves().map(value).max().unwrap()
}

/// With 1/250 of the effort that a server makes, so that a build without optimisation is quick. With 1/1000 it loses
/// a game.
#[test]
fn a_random_player_never_wins_in_a_thousand_seeded_games() {
    let (mut won, mut longest) = (0, 0);
    for seed in 0..1_000 {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut board = Board::new(Size::STANDARD);
        let winner = (0..400).find_map(|at| {
            longest = longest.max(at);
            let it = match board.turn() {
                Side::Red => random.choice(board.moves().collect::<Vec<_>>()),
                Side::Yellow => choose(&board, Effort::looks(6_000), random.u64(..)),
            };
            board.play(it.unwrap()).unwrap()
        });
        assert_ne!(winner, Some(Side::Red), "game {seed}: {board:?}");
        won += i32::from(winner == Some(Side::Yellow));
    }
    eprintln!("won {won} of 1000 games, the longest in {longest} moves");
    assert!(won > 990, "the server won {won} of 1000");
}

#[test]
fn an_open_three_is_prevented_before_it_stands() {
    let mut board = Board::new(Size::STANDARD);
    for it in [Move::Drop(3), Move::Drop(3), Move::Drop(2)] {
        board.play(it).unwrap();
    }
    // Red holds columns 3 and 4 of the bottom row: a third in a row with both ends open would win.
    let answer = choose(&board, Effort::looks(100_000), 1).unwrap();
    assert!(matches!(answer, Move::Drop(1 | 4)), "{answer}");
}
