//! The scenarios that come with the lab.

use super::Scenario;
use crate::topology::TopologyError;

/// A scenario that comes with the lab.
#[derive(Debug, Clone, Copy)]
pub struct ShippedScenario {
    /// Its name.
    pub name: &'static str,
    /// Its file.
    pub text: &'static str,
}

macro_rules! ship {
    ($($name:literal)*) => {
        &[$(ShippedScenario { name: $name, text: include_str!(concat!("../../scenarios/", $name, ".toml")) }),*]
    };
}

/// All of them, in the order in which they are best read.
pub const SHIPPED_SCENARIOS: &[ShippedScenario] = ship!(
    "direct"
    "nat-outward"
    "nat-private"
    "nat-no-forward"
    "nat-forward"
    "hairpin-without"
    "hairpin"
    "drop"
    "reject-reset"
    "reject-port"
    "reject-host"
    "reject-net"
    "reject-admin"
    "own-drop"
    "own-reject"
    "no-route"
    "wrong-name"
    "silent-names"
    "dead-first-address"
    "nobody-listens"
    "absent-host"
    "first-lost"
    "heavy-loss"
    "reordered"
    "bad-stream"
    "corrupted"
    "mtu-576"
    "cut-and-mend"
    "slow-link"
    "address-changes"
    "ipv6-only"
    "double-nat"
    "campus-firewall"
    "closed-firewall-ipv6"
    "watch-redacted"
    "check-fine"
    "check-fine-ipv6"
    "check-link-local"
    "check-fine-greeting"
    "check-fine-forward"
    "check-double-nat"
    "check-dead-first-address"
    "check-loss"
    "check-nobody-listens"
    "check-nobody-listens-ipv6"
    "check-nobody-listens-here"
    "check-loopback-only"
    "check-bound-elsewhere"
    "check-no-forward"
    "check-drop"
    "check-drop-ipv6"
    "check-drop-on-the-way"
    "check-drop-neighbour"
    "check-drop-neighbour-known"
    "check-drop-all"
    "check-campus"
    "check-queue-full"
    "check-reject-port"
    "check-reject-admin"
    "check-reject-host"
    "check-reject-net"
    "check-reject-port-ipv6"
    "check-reject-admin-ipv6"
    "check-reject-on-the-way"
    "check-reject-host-on-the-way"
    "check-reject-net-on-the-way"
    "check-reset-on-the-way"
    "check-reset-before-host"
    "check-reset-by-host"
    "check-own-drop"
    "check-own-drop-ipv6"
    "check-own-drop-unreadable"
    "check-own-some"
    "check-own-reject"
    "check-own-reject-ipv6"
    "check-own-reset"
    "check-own-in-drop"
    "check-own-in-reject"
    "check-no-route"
    "check-no-ipv6"
    "check-route-blackhole"
    "check-route-unreachable"
    "check-route-prohibit"
    "check-no-route-there"
    "check-no-route-there-ipv6"
    "check-absent"
    "check-absent-impatient"
    "check-absent-ipv6"
    "check-forward-off"
    "check-absent-neighbour"
    "check-absent-neighbour-impatient"
    "check-neighbour-stale"
    "check-no-gateway"
    "check-source-route"
    "check-own-led-away"
    "check-name-wrong"
    "check-names-silent"
    "check-names-slow"
    "check-names-failing"
    "check-names-refusing"
    "check-no-ipv6-address"
    "check-not-echo"
    "check-line-endings"
    "check-upper-case"
    "check-text-only"
    "check-no-reply"
    "check-closed-at-once"
    "check-closed-instead"
    "check-reset-instead"
    "check-mtu"
    "check-handshake-only"
    "check-wrong-source"
    "check-whoami-nat"
    "check-request-lost"
    "check-reply-lost"
    "check-reply-lost-unasked"
    "check-backends"
    "check-idle-lives"
    "check-idle-closed"
    "check-idle-closed-unheard"
    "check-idle-lost"
    "check-idle-lost-unheard"
    "check-idle-reset"
    "check-idle-reset-by-server"
    "check-listen-fine"
    "check-listen-behind-nat"
    "check-listen-nobody"
    "check-listen-wrong-address"
    "check-listen-loopback"
    "check-listen-ipv6-only"
    "check-listen-drop"
    "check-listen-default-drop"
    "check-listen-reset"
    "check-listen-redirected"
    "check-listen-forwarded"
    "check-listen-some"
    "check-listen-flood"
    "check-listen-map-default"
    "check-listen-unreadable"
    "check-listen-queue-full"
    "check-listen-stuck"
    "check-listen-stopped"
);

impl Scenario {
    /// The shipped scenario of this name.
    ///
    /// # Errors
    /// There is none of this name.
    pub fn shipped(name: &str) -> Result<Self, TopologyError> {
        match SHIPPED_SCENARIOS.iter().find(|shipped| shipped.name == name) {
            Some(shipped) => Self::parse(shipped.text, name),
            None => Err(TopologyError {
                file: name.to_owned(),
                line: 0,
                message: "no such scenario: `echoline lab test --list` names them; a FILE.toml is one too"
                    .into(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shipped_scenario_is_sound_and_bears_its_name() {
        for shipped in SHIPPED_SCENARIOS {
            let scenario = Scenario::shipped(shipped.name).expect(shipped.name);
            assert_eq!(scenario.name, shipped.name);
        }
    }
}
