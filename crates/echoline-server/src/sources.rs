//! How many connections each source has open: an IPv4 address, or an IPv6 network of /64.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Whom an address belongs to, as far as an address can tell: whoever has a network of /64 has all its addresses.
///
/// An IPv4 address stands in the lower half. The networks of IPv6 that this would be mistaken for are reserved
/// (`::/8`, RFC 4291 section 2.4), but for the loopback's, which means this machine as 0.0.0.0 does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Source(u64);

impl Source {
    pub(crate) fn of(address: IpAddr) -> Self {
        // A listener for both families sees IPv4 clients as ::ffff:a.b.c.d.
        match address.to_canonical() {
            IpAddr::V4(address) => Self(u64::from(address.to_bits())),
            IpAddr::V6(address) => Self((address.to_bits() >> 64) as u64),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match u32::try_from(self.0) {
            Ok(bits) if bits > 0 => write!(f, "{}", Ipv4Addr::from_bits(bits)),
            _ => write!(f, "{}/64", Ipv6Addr::from_bits(u128::from(self.0) << 64)),
        }
    }
}

/// Counts them. Bounded by the connections that are open: a source without one is forgotten.
#[derive(Debug)]
pub(crate) struct Sources {
    most: Option<NonZeroUsize>,
    open: Mutex<HashMap<Source, usize>>,
}

impl Sources {
    pub(crate) fn new(most: Option<NonZeroUsize>) -> Self {
        Self { most, open: Mutex::default() }
    }

    /// One more connection of this source, if it may have one. Each that is admitted must be released.
    pub(crate) fn admit(&self, source: Source) -> bool {
        let Some(most) = self.most else { return true };
        let mut open = self.lock();
        let count = open.entry(source).or_default();
        if *count >= most.get() {
            return false;
        }
        *count += 1;
        true
    }

    pub(crate) fn release(&self, source: Source) {
        if self.most.is_none() {
            return;
        }
        let mut open = self.lock();
        let left = open.get_mut(&source).map(|count| {
            *count -= 1;
            *count
        });
        if left == Some(0) {
            open.remove(&source);
        }
    }

    /// The table is whole between statements, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, HashMap<Source, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn source(text: &str) -> Source {
        Source::of(text.parse().unwrap())
    }

    #[test]
    fn an_ipv4_address_is_a_source_and_so_is_an_ipv6_network() {
        assert_ne!(source("192.0.2.1"), source("192.0.2.2"));
        assert_eq!(source("192.0.2.1"), source("::ffff:192.0.2.1"));
        assert_eq!(source("2001:db8:1:2::1"), source("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(source("2001:db8:1:2::1"), source("2001:db8:1:3::1"));
    }

    #[test]
    fn a_source_is_shown_as_people_write_it() {
        for (address, shown) in
            [("192.0.2.1", "192.0.2.1"), ("2001:db8:1:2::3", "2001:db8:1:2::/64"), ("::1", "::/64")]
        {
            assert_eq!(source(address).to_string(), shown);
        }
    }

    proptest! {
        #[test]
        fn no_source_has_more_than_its_share_and_none_is_remembered_for_nothing(
            ops in prop::collection::vec((0..4_u8, any::<bool>()), 0..200), most in 1..4_usize,
        ) {
            let sources = Sources::new(NonZeroUsize::new(most));
            let mut open = [0_usize; 4];
            for (which, comes) in ops {
                let source = Source::of(IpAddr::from([127, 0, 0, which + 1]));
                let count = &mut open[usize::from(which)];
                if comes {
                    prop_assert_eq!(sources.admit(source), *count < most);
                    *count = (*count + 1).min(most);
                } else if *count > 0 {
                    sources.release(source);
                    *count -= 1;
                }
                prop_assert_eq!(sources.lock().len(), open.iter().filter(|count| **count > 0).count());
            }
        }
    }
}
