//! A network as rules name it: an address, and how many of its bits count.

use std::net::IpAddr;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    pub(super) address: IpAddr,
    /// More than the address has are all of them.
    pub(super) bits: u64,
}

impl Network {
    /// `ADDRESS/BITS`, or `ADDRESS` for that one alone.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/').unwrap_or((text, "128"));
        Some(Self { address: address.parse().ok()?, bits: bits.parse().ok()? })
    }

    /// Do the first bits of both agree?
    pub(super) fn contains(self, address: IpAddr) -> bool {
        let shift = |width: u64| u32::try_from(width.saturating_sub(self.bits)).unwrap_or(0);
        match (address, self.address) {
            (IpAddr::V4(address), IpAddr::V4(network)) => {
                let different = address.to_bits() ^ network.to_bits();
                different.checked_shr(shift(32)).unwrap_or(0) == 0
            }
            (IpAddr::V6(address), IpAddr::V6(network)) => {
                let different = address.to_bits() ^ network.to_bits();
                different.checked_shr(shift(128)).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_the_addresses_that_begin_like_its_own_and_without_bits_that_one_alone() {
        let cases = [
            ("192.0.2.0/24", "192.0.2.255", Some(true)),
            ("192.0.2.0/24", "192.0.3.0", Some(false)),
            ("192.0.2.7", "192.0.2.7", Some(true)),
            ("192.0.2.7", "192.0.2.6", Some(false)),
            ("192.0.2.7/128", "192.0.2.6", Some(false)),
            ("0.0.0.0/0", "192.0.2.7", Some(true)),
            ("0.0.0.0/0", "2001:db8::7", Some(false)),
            ("2001:db8::/32", "2001:db8:1::7", Some(true)),
            ("2001:db8::/32", "2001:db9::7", Some(false)),
            ("::/0", "2001:db8::7", Some(true)),
            ("any", "192.0.2.7", None),
            ("192.0.2.0/255.255.255.0", "192.0.2.7", None),
            ("192.0.2.0/", "192.0.2.7", None),
        ];
        for (network, address, expected) in cases {
            let contains = Network::parse(network).map(|network| network.contains(address.parse().unwrap()));
            assert_eq!(contains, expected, "{network} {address}");
        }
    }
}
