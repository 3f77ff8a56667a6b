//! Lookups that hang, through a lookup of the test's own.

use std::sync::atomic::{AtomicUsize, Ordering};

use echoline_diagnosis::{Diagnosis as Error, Operation};

use super::*;

const SOON: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(60);

fn lookup(endpoint: &str, family: Family) -> Result<Vec<SocketAddr>, Error> {
    resolve(&endpoint.parse()?, family, LONG)
}

fn loopback() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// A resolver whose lookups wait until the sender is dropped; how many have begun.
fn stuck() -> (Resolver, mpsc::Sender<()>, Arc<AtomicUsize>) {
    let (release, gate) = mpsc::channel::<()>();
    let gate = Mutex::new(gate);
    let begun = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&begun);
    let resolver = Resolver::new(move |_, _| {
        count.fetch_add(1, Ordering::SeqCst);
        let _ = gate.lock().unwrap().recv();
        Ok(vec![loopback()])
    });
    (resolver, release, begun)
}

#[test]
fn a_lookup_that_hangs_is_abandoned_at_the_deadline() {
    let (resolver, release, _) = stuck();
    assert!(matches!(resolver.look_up("slow.test", Family::Any, SOON), Err(Failure::TimedOut(SOON))));
    assert_eq!(*resolver.slots.lock(), 1, "its thread goes on");
    drop(release);
    let slots =
        resolver.slots.freed.wait_timeout_while(resolver.slots.lock(), LONG, |taken| *taken > 0).unwrap();
    assert_eq!(*slots.0, 0, "and ends in the end");
}

#[test]
fn sixteen_stuck_lookups_are_the_most_and_one_that_ends_makes_room() {
    let (resolver, release, begun) = stuck();
    for _ in 0..MAX_LOOKUPS {
        assert!(matches!(resolver.look_up("slow.test", Family::Any, SOON), Err(Failure::TimedOut(_))));
    }
    assert!(matches!(resolver.look_up("slow.test", Family::Any, SOON), Err(Failure::Busy)));
    assert!(begun.load(Ordering::SeqCst) <= MAX_LOOKUPS);
    drop(release);
    let found = resolver.look_up("slow.test", Family::Any, LONG).unwrap();
    assert_eq!(found, [loopback()]);
}

#[test]
fn a_lookup_that_waits_for_room_gets_it() {
    let (resolver, release, _) = stuck();
    let waiting = thread::scope(|scope| {
        let lookups: Vec<_> = (0..3 * MAX_LOOKUPS)
            .map(|_| scope.spawn(|| resolver.look_up("slow.test", Family::Any, LONG)))
            .collect();
        drop(release);
        lookups.into_iter().map(|lookup| lookup.join().unwrap()).filter(Result::is_ok).count()
    });
    assert_eq!(waiting, 3 * MAX_LOOKUPS);
}

#[test]
fn a_thousand_addresses_are_used_and_each_once() {
    let resolver = Resolver::new(|_, _| {
        let all = (0..1500).map(|n| 0x0a00_0000 + n / 2 * 2).chain((0..1500).map(|n| 0x0b00_0000 + n));
        Ok(all.map(|bits| SocketAddr::from((Ipv4Addr::from_bits(bits), 0))).collect())
    });
    let found = resolver.look_up("many.test", Family::Any, LONG).unwrap();
    assert_eq!(found.len(), MAX_ADDRESSES);
    assert_eq!(found[1].ip(), IpAddr::from([10, 0, 0, 2]));
    assert_eq!(found[750].ip(), IpAddr::from([11, 0, 0, 0]));
}

#[test]
fn a_lookup_that_panics_is_a_failure_and_frees_its_slot() {
    let resolver = Resolver::new(|_, _| panic!("on purpose"));
    for _ in 0..2 * MAX_LOOKUPS {
        assert!(matches!(resolver.look_up("bad.test", Family::Any, LONG), Err(Failure::Failed(_))));
    }
}

#[test]
fn addresses_and_localhost_are_never_looked_up() {
    let loopback = ["[::1]:7".parse().unwrap(), "127.0.0.1:7".parse().unwrap()];
    for name in ["localhost:7", "LOCALHOST.:7", "anything.below.localhost:7"] {
        assert_eq!(lookup(name, Family::Any).unwrap(), loopback);
    }
    assert_eq!(lookup("localhost:7", Family::V4).unwrap(), loopback[1..]);
    assert_eq!(lookup("localhost:7", Family::V6).unwrap(), loopback[..1]);
    assert_eq!(lookup("[2001:db8::1]:7", Family::Any).unwrap(), ["[2001:db8::1]:7".parse().unwrap()]);
}

#[test]
fn an_address_of_the_other_family_is_an_error_of_its_own() {
    let error = lookup("127.0.0.1:7", Family::V6).unwrap_err();
    assert_eq!(error.to_string(), "127.0.0.1 has no IPv6 address");
    assert_eq!(error.code(), code::NO_ADDRESS_OF_FAMILY);
}

#[test]
fn a_name_that_cannot_exist_is_a_typed_failure() {
    // .invalid never exists (RFC 6761 section 6.4). Without any name server the lookup fails instead.
    let error = lookup("no-such-host.invalid:7", Family::Any).unwrap_err();
    assert!(matches!(error.code(), code::NAME_NOT_FOUND | code::NAME_LOOKUP_FAILED), "{error:?}");
    assert_eq!(error.operation(), Some(Operation::Resolve));
    assert_eq!(error.endpoint().unwrap().to_string(), "no-such-host.invalid:7");
}

#[cfg(target_os = "linux")]
#[test]
fn what_getaddrinfo_says_decides_the_code() {
    let code = |number: i32, family| {
        failure(LookupError::new(number), family).on(&"host.test:7".parse().unwrap(), family).code()
    };
    // The numbers of glibc: NONAME, NODATA, ADDRFAMILY, AGAIN, FAIL.
    assert_eq!(code(-2, Family::Any), code::NAME_NOT_FOUND);
    assert_eq!(code(-5, Family::Any), code::NAME_NOT_FOUND);
    assert_eq!(code(-5, Family::V6), code::NO_ADDRESS_OF_FAMILY);
    assert_eq!(code(-9, Family::V4), code::NO_ADDRESS_OF_FAMILY);
    assert_eq!(code(-3, Family::Any), code::NAME_LOOKUP_FAILED);
    assert_eq!(code(-4, Family::Any), code::NAME_LOOKUP_FAILED);
    let endpoint = "host.test:7".parse().unwrap();
    let error = failure(LookupError::new(-3), Family::Any).on(&endpoint, Family::Any);
    assert_eq!(
        format!("{error:#}"),
        "the name host.test could not be looked up: Temporary failure in name resolution"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_zone_is_the_name_or_number_of_an_interface() {
    let scope = |text| match lookup(text, Family::Any).map(|found| found[0]) {
        Ok(SocketAddr::V6(v6)) => Ok(v6.scope_id()),
        Ok(other) => panic!("{other}"),
        Err(error) => Err(error.to_string()),
    };
    assert_eq!(scope("[fe80::1%lo]:7").unwrap(), 1, "lo is always the first interface");
    assert_eq!(scope("[fe80::1%42]:7").unwrap(), 42);
    assert_eq!(
        scope("[fe80::1%nope]:7").unwrap_err(),
        "nope in [fe80::1%nope]:7 is no interface of this machine"
    );
    assert_eq!(
        scope("[fe80::1]:7").unwrap_err(),
        "fe80::1 is link-local: the interface that leads to it is missing"
    );
}

#[test]
fn a_link_local_address_of_a_name_keeps_its_zone_and_without_one_is_left_out() {
    let endpoint: Endpoint = "printer.test:7".parse().unwrap();
    let found = |texts: &[&str]| {
        usable(texts.iter().map(|text| text.parse().unwrap()).collect(), &endpoint, Family::Any)
    };
    assert_eq!(found(&["[fe80::1%3]:0"]).unwrap(), ["[fe80::1%3]:7".parse().unwrap()]);
    assert_eq!(
        found(&["[fe80::1]:0", "192.0.2.1:0", "[fe80::2%3]:0"]).unwrap(),
        ["192.0.2.1:7".parse().unwrap(), "[fe80::2%3]:7".parse().unwrap()]
    );
    let error = found(&["[fe80::1]:0"]).unwrap_err();
    assert_eq!(error.code(), code::BAD_ADDRESS);
    assert_eq!(
        error.to_string(),
        "fe80::1, the address of printer.test, is link-local: the interface that leads to it is missing"
    );
    assert_eq!(error.remedy(), "add the interface after a %, such as [fe80::1%eth0]:7");
}

#[test]
fn a_name_that_has_only_the_other_family_exists() {
    let found = || Ok(vec![loopback()]);
    let not_found = || Err(Failure::NotFound);
    let told = |first: Result<_, _>, family, any: fn() -> Result<_, _>| told_apart(first, family, any);
    assert!(matches!(
        told(not_found(), Family::V6, || Ok(vec![loopback()])),
        Err(Failure::NoAddressOfFamily)
    ));
    assert!(matches!(told(not_found(), Family::V6, || Err(Failure::NotFound)), Err(Failure::NotFound)));
    // There is nothing else to ask for.
    assert!(matches!(told(not_found(), Family::Any, || unreachable!()), Err(Failure::NotFound)));
    assert!(matches!(told(found(), Family::V4, || unreachable!()), Ok(found) if found == [loopback()]));
}
