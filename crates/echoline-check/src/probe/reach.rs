//! Who can reach a server: which networks its addresses belong to.

use std::net::{IpAddr, SocketAddr};

use echoline::AddressKind;
use if_addrs::{IfAddr, Interface, get_if_addrs};

/// One address under which a server can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The address and the port.
    pub address: SocketAddr,
    /// The interface with that address; `None` if this machine shows none.
    pub interface: Option<String>,
    /// The network on that interface, such as `192.168.1.0/24`.
    pub network: Option<String>,
    /// What kind of address it is.
    pub kind: AddressKind,
}

/// Under which addresses a server that listens on `address` can be reached: "any" becomes those of the interfaces.
pub fn reach_at(address: SocketAddr) -> Vec<Reach> {
    // Without the list, "any" stays as it is: what is served matters more than who is told.
    reach_on(address, &get_if_addrs().unwrap_or_default())
}

fn reach_on(bound: SocketAddr, interfaces: &[Interface]) -> Vec<Reach> {
    if !bound.ip().is_unspecified() || interfaces.is_empty() {
        let interface = interfaces.iter().find(|interface| interface.ip() == bound.ip());
        return vec![one(bound, interface)];
    }
    let same_family = |interface: &&Interface| interface.ip().is_ipv4() == bound.is_ipv4();
    let address = |interface: &Interface| SocketAddr::new(interface.ip(), bound.port());
    interfaces.iter().filter(same_family).map(|interface| one(address(interface), Some(interface))).collect()
}

fn one(address: SocketAddr, interface: Option<&Interface>) -> Reach {
    Reach {
        address,
        interface: interface.map(|interface| interface.name.clone()),
        network: interface.map(network),
        kind: AddressKind::of(address.ip()),
    }
}

/// The network of an interface's address: the bits that its neighbours share.
fn network(interface: &Interface) -> String {
    match &interface.addr {
        IfAddr::V4(v4) => format!(
            "{}/{}",
            IpAddr::from((v4.ip.to_bits() & v4.netmask.to_bits()).to_be_bytes()),
            v4.prefixlen
        ),
        IfAddr::V6(v6) => format!(
            "{}/{}",
            IpAddr::from((v6.ip.to_bits() & v6.netmask.to_bits()).to_be_bytes()),
            v6.prefixlen
        ),
    }
}

impl Reach {
    /// Nobody else can reach it.
    pub fn is_this_machine_only(&self) -> bool {
        self.kind == AddressKind::Loopback
    }

    /// Who can reach the address, in words.
    pub fn who(&self) -> String {
        let network = self.network.as_deref().unwrap_or("its network");
        match self.kind {
            AddressKind::Loopback => "this machine only".to_owned(),
            AddressKind::Private => {
                format!("machines of {network} (private: the internet only through a forwarded port)")
            }
            AddressKind::CarrierGradeNat => {
                format!("machines of {network} (carrier-grade NAT: the internet cannot reach it)")
            }
            AddressKind::LinkLocal => "machines on the same link (link-local)".to_owned(),
            AddressKind::Documentation => {
                format!("machines of {network} (documentation: not on the internet)")
            }
            AddressKind::Multicast => "nobody: TCP cannot reach a group of hosts (multicast)".to_owned(),
            AddressKind::Global => "anybody on the internet whom no firewall stops (global)".to_owned(),
            other => format!("machines of {network} ({other})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_address_of_a_family_becomes_those_of_the_interfaces() {
        let reach = reach_at("0.0.0.0:5151".parse().unwrap());
        let loopback = reach.iter().find(|reach| reach.address.ip().is_loopback()).unwrap();
        assert_eq!(loopback.network.as_deref(), Some("127.0.0.0/8"));
        assert!(loopback.is_this_machine_only());
        assert!(reach.iter().all(|reach| reach.address.is_ipv4() && reach.address.port() == 5151));
    }
}
