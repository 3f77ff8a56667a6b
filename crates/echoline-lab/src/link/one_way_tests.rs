use proptest::prelude::*;

use super::*;

/// A frame that carries its own number, 64 bytes or more.
fn frame(number: u32, length: usize) -> Vec<u8> {
    let mut frame = vec![0xaa; length.max(64)];
    frame[20..24].copy_from_slice(&number.to_be_bytes());
    frame
}

fn number(frame: &[u8]) -> u32 {
    u32::from_be_bytes(frame[20..24].try_into().expect("four bytes"))
}

fn settings(words: &str) -> LinkSettings {
    words.parse().expect(words)
}

/// Everything that leaves by `now`, with the moment it was asked for.
fn collect(way: &mut OneWay, now: Instant, left: &mut Vec<(Instant, Vec<u8>)>) {
    while let Some(frame) = way.due(now) {
        left.push((now, frame));
    }
}

/// Sends `count` frames `gap` apart and asks for each at the very moment it is due.
fn play(way: &mut OneWay, count: u32, length: usize, gap: Duration) -> Vec<(Instant, Vec<u8>)> {
    let start = Instant::now();
    let mut left = Vec::new();
    for n in 0..count {
        let now = start + gap * n;
        while let Some(due) = way.next_due().filter(|due| *due <= now) {
            collect(way, due, &mut left);
        }
        let frame = frame(n, length);
        if way.on_frame(&frame, now) == Fate::Passed {
            left.push((now, frame));
        }
    }
    while let Some(due) = way.next_due() {
        collect(way, due, &mut left);
    }
    left
}

fn numbers(left: &[(Instant, Vec<u8>)]) -> Vec<u32> {
    left.iter().map(|(_, frame)| number(frame)).collect()
}

fn assert_conserved(way: &OneWay) {
    let c = way.counters();
    assert_eq!(c.frames + c.duplicated, c.left + c.lost + c.dropped_queue + c.dropped_cut + c.held, "{c:?}");
}

#[test]
fn a_clean_wire_passes_every_frame_at_once() {
    let mut way = OneWay::new(LinkSettings::default(), 1);
    for n in 0..100 {
        assert_eq!(way.on_frame(&frame(n, 64), Instant::now()), Fate::Passed);
    }
    assert_eq!(way.next_due(), None);
    assert_eq!(way.counters().left, 100);
}

#[test]
fn a_delayed_frame_is_due_exactly_after_its_delay() {
    let mut way = OneWay::new(settings("delay=10ms"), 1);
    let now = Instant::now();
    assert_eq!(way.on_frame(&frame(7, 64), now), Fate::Held);
    let due = now + Duration::from_millis(10);
    assert_eq!(way.next_due(), Some(due));
    assert_eq!(way.due(due - Duration::from_nanos(1)), None);
    assert_eq!(way.due(due), Some(frame(7, 64)));
    assert_eq!(way.due(due), None);
}

#[test]
fn a_rate_spaces_the_frames_and_its_queue_drops_the_tail() {
    let mut way = OneWay::new(settings("rate=1mbit queue=10"), 1);
    let now = Instant::now();
    for n in 0..50 {
        way.on_frame(&frame(n, 1250), now); // 1250 bytes at 1 Mbit/s take 10 ms
    }
    assert_eq!(way.counters().dropped_queue, 40);
    let mut left = Vec::new();
    while let Some(due) = way.next_due() {
        collect(&mut way, due, &mut left);
    }
    let took: Vec<_> = left.iter().map(|(at, _)| at.duration_since(now).as_millis()).collect();
    assert_eq!(took, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
    assert_eq!(numbers(&left), (0..10).collect::<Vec<_>>());
    assert_conserved(&way);
}

#[test]
fn the_rate_is_kept_when_nobody_looks_in_time() {
    let mut way = OneWay::new(settings("rate=1mbit"), 1);
    let now = Instant::now();
    for n in 0..100 {
        way.on_frame(&frame(n, 1250), now);
    }
    let mut left = Vec::new();
    collect(&mut way, now + Duration::from_millis(505), &mut left);
    assert_eq!(left.len(), 50);
}

#[test]
fn a_faster_rate_holds_for_the_frames_that_wait_already() {
    let mut way = OneWay::new(settings("rate=1kbit"), 1);
    let now = Instant::now();
    for n in 0..10 {
        way.on_frame(&frame(n, 1250), now); // ten seconds each
    }
    way.set(settings("none"), now + Duration::from_millis(1));
    let mut left = Vec::new();
    collect(&mut way, now + Duration::from_millis(1), &mut left);
    assert_eq!(numbers(&left), (0..10).collect::<Vec<_>>());
}

#[test]
fn a_cut_wire_loses_what_is_inside_and_all_that_enters_until_it_is_mended() {
    let mut way = OneWay::new(settings("delay=1s"), 1);
    let now = Instant::now();
    way.on_frame(&frame(0, 64), now);
    way.cut(true);
    assert_eq!(way.on_frame(&frame(1, 64), now), Fate::Gone);
    way.cut(false);
    way.on_frame(&frame(2, 64), now);
    let mut left = Vec::new();
    collect(&mut way, now + Duration::from_secs(2), &mut left);
    assert_eq!(numbers(&left), [2]);
    assert_eq!(way.counters().dropped_cut, 2);
    assert_conserved(&way);
}

#[test]
fn a_text_that_is_to_be_lost_is_lost_each_time_and_nothing_else_is() {
    let mut way = OneWay::new(settings("lose_text=first"), 1);
    let with = |text: &str| [&frame(0, 64)[..], text.as_bytes()].concat();
    for _ in 0..20 {
        assert_eq!(way.on_frame(&with("the first message"), Instant::now()), Fate::Gone);
        assert_eq!(way.on_frame(&with("the second message"), Instant::now()), Fate::Passed);
    }
}

#[test]
fn a_long_delay_holds_a_bounded_number_of_bytes() {
    let mut way = OneWay::new(settings("delay=60s queue=100000"), 1);
    let now = Instant::now();
    for n in 0..600 {
        way.on_frame(&frame(n, 65_000), now);
    }
    let c = way.counters();
    assert_eq!(
        (c.held, c.dropped_queue),
        ((MAX_HELD_BYTES / 65_000) as u64, 600 - (MAX_HELD_BYTES / 65_000) as u64)
    );
}

/// Pinned: a newer generator that decides otherwise would change every seeded test of the users.
#[test]
fn seed_one_loses_these_frames() {
    let mut way = OneWay::new(settings("loss=10%"), 1);
    let now = Instant::now();
    let lost: Vec<u32> = (0..100).filter(|n| way.on_frame(&frame(*n, 64), now) == Fate::Gone).collect();
    assert_eq!(lost, [26, 27, 42, 48, 49, 57, 97]);
}

#[test]
fn what_a_small_loss_loses_a_greater_loss_loses_too() {
    let lost = |words: &str| -> Vec<u32> {
        let mut way = OneWay::new(settings(words), 99);
        (0..2000).filter(|n| way.on_frame(&frame(*n, 64), Instant::now()) == Fate::Gone).collect()
    };
    let (few, many) = (lost("loss=2%"), lost("loss=10% delay=5ms duplicate=3%"));
    assert!(!few.is_empty() && few.len() < many.len());
    assert!(few.iter().all(|n| many.contains(n)));
}

prop_compose! {
    fn any_settings()(
        loss in 0u32..300_000, duplicate in 0u32..300_000, reorder in 0u32..300_000, corrupt in 0u32..300_000,
        delay_us in 0u64..20_000, jitter_us in 0u64..20_000, hold_us in 0u64..5_000,
        rate in proptest::option::of(100_000u64..1_000_000_000), queue in 1usize..200,
    ) -> LinkSettings {
        let [loss, duplicate, reorder, corrupt] = [loss, duplicate, reorder, corrupt].map(super::super::Chance::per_million);
        let [delay, jitter, hold] = [delay_us, jitter_us, hold_us].map(Duration::from_micros);
        LinkSettings { loss, duplicate, reorder, corrupt, delay, jitter, hold, rate, queue, lose_text: None }
    }
}

proptest! {
    #[test]
    fn every_frame_is_accounted_for(settings in any_settings(), seed: u64, count in 1u32..400, gap_us in 0u64..500) {
        let mut way = OneWay::new(settings, seed);
        let left = play(&mut way, count, 200, Duration::from_micros(gap_us));
        assert_conserved(&way);
        prop_assert_eq!(way.counters().held, 0);
        prop_assert_eq!(way.counters().left, left.len() as u64);
        prop_assert_eq!(way.held_bytes, 0);
    }

    #[test]
    fn the_same_seed_decides_the_same(settings in any_settings(), seed: u64, count in 1u32..300) {
        let gap = Duration::from_micros(100);
        let frames = |left: Vec<(Instant, Vec<u8>)>| left.into_iter().map(|(_, frame)| frame).collect::<Vec<_>>();
        let one = frames(play(&mut OneWay::new(settings.clone(), seed), count, 200, gap));
        let other = frames(play(&mut OneWay::new(settings, seed), count, 200, gap));
        prop_assert_eq!(one, other);
    }

    #[test]
    fn without_reorder_the_order_stays(settings in any_settings(), seed: u64, count in 1u32..400, gap_us in 0u64..500) {
        let settings = LinkSettings { reorder: super::super::Chance::NEVER, corrupt: super::super::Chance::NEVER, ..settings };
        let mut way = OneWay::new(settings, seed);
        let left = numbers(&play(&mut way, count, 200, Duration::from_micros(gap_us)));
        prop_assert!(left.is_sorted(), "{:?}", left);
        prop_assert_eq!(way.counters().reordered, 0);
    }

    #[test]
    fn nothing_leaves_before_its_time_or_faster_than_the_rate(settings in any_settings(), seed: u64, count in 1u32..300, gap_us in 0u64..500) {
        let (gap, length) = (Duration::from_micros(gap_us), 1000u32);
        let settings = LinkSettings { corrupt: super::super::Chance::NEVER, jitter: Duration::ZERO, ..settings };
        let (delay, rate) = (settings.delay, settings.rate);
        let start = Instant::now();
        let left = play(&mut OneWay::new(settings, seed), count, length as usize, gap);
        for (place, (at, frame)) in left.iter().enumerate() {
            // `start` was read just before the first frame entered.
            prop_assert!(*at >= start + gap * number(frame) + delay);
            let bits = (place as u64 + 1) * u64::from(length) * 8;
            let fastest = rate.map_or(Duration::ZERO, |rate| Duration::from_secs_f64(bits as f64 / rate as f64));
            prop_assert!(*at + Duration::from_nanos(place as u64 + 2) >= start + delay + fastest);
        }
    }

    #[test]
    fn the_share_lost_and_doubled_is_the_share_asked_for(seed: u64, loss in 10_000u32..500_000) {
        let loss_share = super::super::Chance::per_million(loss);
        let mut way = OneWay::new(LinkSettings { loss: loss_share, ..settings("duplicate=10%") }, seed);
        play(&mut way, 4_000, 64, Duration::ZERO);
        let c = way.counters();
        let near = |seen: u64, of: u64, share: f64| {
            // Five standard deviations of a binomial: 1 in 1.7 million runs misses it.
            let bound = 5.0 * (of as f64 * share * (1.0 - share)).sqrt() + 1.0;
            (seen as f64 - of as f64 * share).abs() <= bound
        };
        prop_assert!(near(c.lost, c.frames, f64::from(loss) / 1e6), "{:?}", c);
        prop_assert!(near(c.duplicated, c.frames - c.lost, 0.1), "{:?}", c);
    }

    #[test]
    fn corruption_flips_one_bit_behind_the_ethernet_header(seed: u64, length in 64usize..1500) {
        let mut way = OneWay::new(settings("corrupt=100%"), seed);
        let now = Instant::now();
        prop_assert_eq!(way.on_frame(&frame(3, length), now), Fate::Held);
        let changed = way.due(now).expect("due at once");
        let before = frame(3, length);
        let flipped: u32 = before.iter().zip(&changed).map(|(a, b)| (a ^ b).count_ones()).sum();
        prop_assert_eq!(flipped, 1);
        prop_assert_eq!(&before[..14], &changed[..14]);
    }
}

#[test]
fn a_reordered_frame_is_overtaken_and_counted() {
    let mut way = OneWay::new(settings("reorder=10% hold=2ms delay=1ms"), 5);
    let left = numbers(&play(&mut way, 1000, 64, Duration::from_micros(100)));
    let c = way.counters();
    assert!(!left.is_sorted());
    assert!((50..150).contains(&c.reordered), "{c:?}");
    assert_eq!(c.left, 1000);
}
