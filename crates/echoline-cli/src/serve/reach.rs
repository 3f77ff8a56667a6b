//! Under which addresses each service can be reached.

use echoline_check::{Reach, reach_at};
use echoline_server::Bound;

/// "Any" becomes the addresses of the interfaces. In the order served.
pub(super) fn reach_of(bound: &[Bound]) -> Vec<(String, Vec<Reach>)> {
    let mut services: Vec<(String, Vec<Reach>)> = Vec::new();
    for Bound { service, address } in bound {
        let reach = reach_at(*address);
        match services.iter_mut().find(|(name, _)| name == service) {
            Some((_, all)) => all.extend(reach),
            None => services.push((service.clone(), reach)),
        }
    }
    services
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_service_is_named_once_with_all_its_addresses() {
        let bound = |address: &str| Bound { service: "echo".to_owned(), address: address.parse().unwrap() };
        let services = reach_of(&[bound("127.0.0.1:5151"), bound("0.0.0.0:5152")]);
        assert_eq!(services.len(), 1);
        let (service, reach) = &services[0];
        assert_eq!((service.as_str(), reach[0].address.port()), ("echo", 5151));
        assert!(reach[1..].iter().any(|reach| reach.address.ip().is_loopback()));
    }
}
