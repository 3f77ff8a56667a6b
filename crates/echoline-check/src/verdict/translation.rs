//! Network address translation, as far as addresses and hops prove it.

use echoline::AddressKind;
use echoline_diagnosis::{Text, text};

use crate::evidence::{AddressFinding, Ended, HopAnswer};

/// Was the source address translated on the way? Only what the addresses and the hops prove.
pub(crate) fn translation(finding: &AddressFinding) -> Option<Text> {
    let source = finding.connect.source?.ip();
    let outside = |kind| matches!(kind, AddressKind::Global | AddressKind::Documentation);
    if finding.connect.ended != Ended::Connected || !outside(AddressKind::of(finding.address.ip())) {
        return None;
    }
    let inside = AddressKind::of(source);
    let carrier = "is of a provider's carrier-grade NAT (100.64/10)";
    if inside == AddressKind::CarrierGradeNat {
        return Some(text!("The own address {} {}.", source, carrier));
    }
    if inside != AddressKind::Private {
        return None;
    }
    let routers = finding.hops.iter().filter_map(|hop| match hop.answer {
        HopAnswer::Router(ip) => Some(ip),
        _ => None,
    });
    let behind_first: Vec<_> = routers.skip(1).filter(|ip| !outside(AddressKind::of(*ip))).collect();
    let kind = match behind_first.first() {
        Some(ip) if AddressKind::of(*ip) == AddressKind::CarrierGradeNat => {
            text!("a second translation is likely: the router {} {}", ip, carrier)
        }
        Some(ip) if AddressKind::of(*ip) == AddressKind::Private => {
            text!("a second translation is likely: the router {} behind the first is private too", ip)
        }
        _ if finding.hops.is_empty() => "how many times is not known without --hops".into(),
        _ => "the routers that answered show no second one".into(),
    };
    Some(text!("The private address {} was translated (NAT) on the way; {}.", source, kind))
}
