//! Connect Four over sockets: whole games, clients that vanish, and an echo beside many games.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use echoline_server::connect_four::{Board, ConnectFour, Effort, MAX_LINE, Move, Side, Size};
use echoline_server::{Ending, Lines, Server, ServiceKind};

use crate::support::*;

on_each_engine! {
    a_game_is_the_same_in_whole_lines_byte_by_byte_and_all_at_once,
    a_player_who_plays_by_the_rules_ends_games_of_many_sizes,
    okay_is_a_send_of_its_own_and_the_move_comes_with_ready,
    a_line_that_is_no_protocol_is_an_error_and_the_end,
    a_line_without_end_is_an_error_and_the_end,
    a_client_that_vanishes_in_any_state_leaves_nothing_behind,
    a_client_that_finishes_while_the_server_thinks_gets_its_move,
    a_silent_player_is_closed_as_idle,
    five_hundred_games_at_once_beside_an_echo,
}

const SEED: u64 = 7;

/// A server that plays the same game every time, with little effort, and an echo.
fn server(case: &Case) -> Server {
    play_with(case, Effort::looks(2_000), |_| {})
}

fn play_with(case: &Case, effort: Effort, change: impl FnOnce(&mut echoline_server::Config)) -> Server {
    let mut config = case.config();
    change(&mut config);
    Server::builder(config)
        .listen_service(
            "connect-four",
            move |_| Lines::new(MAX_LINE, ConnectFour::new(effort, SEED)),
            listener(),
        )
        .listen(ServiceKind::Echo, listener())
        .start()
        .unwrap()
}

/// A client that keeps the board and checks every answer against the rules.
struct Player {
    input: BufReader<TcpStream>,
    output: TcpStream,
    board: Board,
    sent: Vec<u8>,
    received: Vec<u8>,
}

impl Player {
    fn join(address: SocketAddr, size: Size) -> Self {
        let output = connect_to(address);
        let input = BufReader::new(output.try_clone().unwrap());
        let mut player =
            Self { input, output, board: Board::new(size), sent: Vec::new(), received: Vec::new() };
        player.say("I32CFSP_HELLO boo");
        assert_eq!(player.hear(), "WELCOME boo");
        player.say(&format!("AI_GAME {} {}", size.columns(), size.rows()));
        assert_eq!(player.hear(), "READY");
        player
    }

    fn say(&mut self, line: &str) {
        let line = format!("{line}\r\n");
        self.output.write_all(line.as_bytes()).unwrap();
        self.sent.extend_from_slice(line.as_bytes());
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.input.read_line(&mut line).unwrap();
        self.received.extend_from_slice(line.as_bytes());
        line.strip_suffix("\r\n").unwrap_or_else(|| panic!("{line:?} has no CRLF")).to_owned()
    }

    /// Makes a move and takes the answer. `Some` when somebody has won.
    fn round(&mut self, it: Move) -> Option<Side> {
        self.say(&it.to_string());
        self.answer_to(it)
    }

    fn answer_to(&mut self, it: Move) -> Option<Side> {
        if let Some(won) = self.board.play(it).unwrap() {
            assert_eq!(self.hear(), word(won));
            return Some(won);
        }
        assert_eq!(self.hear(), "OKAY");
        let answer = Move::parse(self.hear().as_bytes()).expect("a move");
        let won = self.board.play(answer).unwrap();
        assert_eq!(self.hear(), won.map_or("READY", word));
        won
    }

    /// Plays at random to the end, with an invalid move now and then.
    fn play(&mut self, seed: u64) -> Side {
        let mut random = fastrand::Rng::with_seed(seed);
        loop {
            if random.u8(..) < 30 {
                self.say("DROP 21");
                assert_eq!((self.hear(), self.hear()), ("INVALID".to_owned(), "READY".to_owned()));
            }
            let it = random.choice(self.board.moves().collect::<Vec<_>>()).unwrap();
            if let Some(won) = self.round(it) {
                assert_eq!(read_to_end(&mut self.output), b"", "nothing follows the last word");
                return won;
            }
        }
    }
}

fn word(winner: Side) -> &'static str {
    match winner {
        Side::Red => "WINNER_RED",
        Side::Yellow => "WINNER_YELLOW",
    }
}

fn a_game_is_the_same_in_whole_lines_byte_by_byte_and_all_at_once(case: &Case) {
    let server = server(case);
    let mut player = Player::join(address(&server), Size::STANDARD);
    player.play(1);
    let (sent, received) = (&player.sent, &player.received);

    let mut bytes = connect(&server);
    for byte in sent {
        bytes.write_all(std::slice::from_ref(byte)).unwrap();
    }
    assert_eq!(read_to_end(&mut bytes), *received);

    let mut coalesced = connect(&server);
    coalesced.write_all(sent).unwrap();
    assert_eq!(read_to_end(&mut coalesced), *received);

    // LF alone ends a line too, and the last line needs none.
    let mut bare: Vec<_> = sent.iter().copied().filter(|byte| *byte != b'\r').collect();
    bare.pop();
    let mut finished = connect(&server);
    finished.write_all(&bare).unwrap();
    finished.shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_to_end(&mut finished), *received);
    until(&server, |stats| stats.open == 0 && stats.ended_by(Ending::Done) == 4);
}

fn a_player_who_plays_by_the_rules_ends_games_of_many_sizes(case: &Case) {
    let server = server(case);
    for (at, (columns, rows)) in [(4, 4), (4, 20), (20, 4), (7, 6), (12, 9), (20, 20)].into_iter().enumerate()
    {
        Player::join(address(&server), Size::new(columns, rows).unwrap()).play(at as u64);
    }
    let stats = until(&server, |stats| stats.open == 0);
    assert_eq!(stats.ended_by(Ending::Done), 6);
}

fn okay_is_a_send_of_its_own_and_the_move_comes_with_ready(case: &Case) {
    // Seconds of effort: the move cannot be there before OKAY is read, even by a client that is held up.
    let server = play_with(case, Effort::looks(3_000_000), |_| {});
    let mut client = connect(&server);
    for (request, answer) in [
        ("I32CFSP_HELLO boo\r\n", "WELCOME boo\r\n"),
        ("AI_GAME\r\n", "READY\r\n"),
        ("DROP 4\r\n", "OKAY\r\n"),
    ] {
        client.write_all(request.as_bytes()).unwrap();
        assert_eq!(one_read(&mut client), answer.as_bytes());
    }
    let moved = String::from_utf8(one_read(&mut client)).unwrap();
    assert!(moved.starts_with("DROP ") && moved.ends_with("\r\nREADY\r\n"), "{moved:?}");
    client.write_all(b"DROP 0\r\n").unwrap();
    assert_eq!(one_read(&mut client), b"INVALID\r\nREADY\r\n");
}

/// What leads to each state, and what the server has said by then.
const STATES: [(&str, &str); 3] = [
    ("", ""),
    ("I32CFSP_HELLO boo\r\n", "WELCOME boo\r\n"),
    ("I32CFSP_HELLO boo\r\nAI_GAME\r\n", "WELCOME boo\r\nREADY\r\n"),
];

fn a_line_that_is_no_protocol_is_an_error_and_the_end(case: &Case) {
    let server = server(case);
    for (requests, said) in STATES {
        for wrong in ["\r\n", "GET / HTTP/1.1\r\n", "AI_GAME 3 3\r\n", "\u{1b}[2J\n"] {
            let mut client = connect(&server);
            // What follows the end is read and thrown away, so that nothing destroys the answer.
            client.write_all(format!("{requests}{wrong}DROP 1\r\nDROP 2\r\n").as_bytes()).unwrap();
            assert_eq!(
                read_to_end(&mut client),
                format!("{said}ERROR\r\n").as_bytes(),
                "{wrong:?} after {requests:?}"
            );
        }
    }
}

fn a_line_without_end_is_an_error_and_the_end(case: &Case) {
    let server = server(case);
    for (requests, said) in STATES {
        let mut client = connect(&server);
        client.write_all(requests.as_bytes()).unwrap();
        client.write_all(&[b'x'; 10_000]).unwrap();
        assert_eq!(read_to_end(&mut client), format!("{said}ERROR\r\n").as_bytes());
    }
    until(&server, |stats| stats.ended_by(Ending::LongLine) == 3);
}

fn a_client_that_vanishes_in_any_state_leaves_nothing_behind(case: &Case) {
    // So much effort that the clients of the last state have gone before their move is there.
    let server = play_with(case, Effort::looks(300_000), |_| {});
    let thinking = ("I32CFSP_HELLO boo\r\nAI_GAME\r\nDROP 4\r\n", "WELCOME boo\r\nREADY\r\nOKAY\r\n");
    for (requests, said) in STATES.into_iter().chain([thinking]) {
        for break_off in [true, false] {
            let mut client = connect(&server);
            client.write_all(requests.as_bytes()).unwrap();
            let mut answer = vec![0; said.len()];
            std::io::Read::read_exact(&mut client, &mut answer).unwrap();
            assert_eq!(answer, said.as_bytes());
            // Who breaks off while the kernel still holds the connection never was a client.
            until(&server, |stats| stats.open == 1);
            client.write_all(b"DRO").unwrap();
            if break_off {
                reset(client);
            } else {
                drop(client);
            }
            until(&server, |stats| stats.open == 0);
        }
    }
    assert_eq!(server.stats().accepted, 8);
    Player::join(address(&server), Size::STANDARD).round(Move::Drop(3));
}

fn a_client_that_finishes_while_the_server_thinks_gets_its_move(case: &Case) {
    let server = play_with(case, Effort::looks(300_000), |_| {});
    let mut client = connect(&server);
    client.write_all(b"I32CFSP_HELLO boo\r\nAI_GAME\r\nDROP 4").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let said = String::from_utf8(read_to_end(&mut client)).unwrap();
    assert!(
        said.starts_with("WELCOME boo\r\nREADY\r\nOKAY\r\nDROP ") && said.ends_with("\r\nREADY\r\n"),
        "{said:?}"
    );
}

fn a_silent_player_is_closed_as_idle(case: &Case) {
    // Not shorter: who is held up between its connect and its write would find the connection closed.
    let idle = Some(Duration::from_secs(1));
    let server = play_with(case, Effort::looks(100), |config| config.idle_timeout = idle);
    let mut client = connect(&server);
    client.write_all(b"I32CFSP_HELLO boo\r\nAI_GAME\r\n").unwrap();
    assert_eq!(read_to_end(&mut client), b"WELCOME boo\r\nREADY\r\n");
    until(&server, |stats| stats.ended_by(Ending::Idle) == 1);
}

/// How long an echo takes while the processors are full of games. It asserts that every game ends and that the echo
/// goes on; the figure is for whoever reads the log.
fn five_hundred_games_at_once_beside_an_echo(case: &Case) {
    const GAMES: usize = 500;
    const ROUNDS: usize = 4;
    // Of each game its server's end, and its client's twice: to read and to write.
    case.in_child_with_files(1_600, || {
        let server = play_with(case, Effort::looks(20_000), |_| {});
        let mut players: Vec<_> =
            (0..GAMES).map(|_| Player::join(address(&server), Size::STANDARD)).collect();
        let mut canary = connect_to(server.endpoints()[1].address);
        let quiet = measure(&mut canary, 200);
        let mut waits = Vec::new();
        for round in 0..ROUNDS {
            let column = u8::try_from(round).unwrap();
            // All move at once, so that as many searches wait for their turn; meanwhile the echo is measured.
            for player in &mut players {
                player.say(&Move::Drop(column).to_string());
            }
            waits.extend(measure(&mut canary, 200));
            players.retain_mut(|player| player.answer_to(Move::Drop(column)).is_none());
        }
        let p99 = |waits: &[Duration]| waits[waits.len() * 99 / 100];
        waits.sort();
        eprintln!(
            "measured {}: echo beside {GAMES} games: p50 {:?}, p99 {:?}, max {:?}; alone: p99 {:?}",
            server.engine().name,
            waits[waits.len() / 2],
            p99(&waits),
            waits.last().unwrap(),
            p99(&quiet)
        );
        drop(players);
        until(&server, |stats| stats.open == 1);
        exchange(&mut canary, b"still here\n");
    });
}

/// Round trips of an echo, the shortest first.
fn measure(canary: &mut TcpStream, times: usize) -> Vec<Duration> {
    let mut waits: Vec<_> = (0..times)
        .map(|_| {
            let start = Instant::now();
            exchange(canary, b"a canary\n");
            start.elapsed()
        })
        .collect();
    waits.sort();
    waits
}
