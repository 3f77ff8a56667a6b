//! For the fuzz targets alone: what is private and reads bytes of others. No part of the interface.

use std::net::IpAddr;

use crate::names::Zone;
use crate::topology::Topology;

/// What the name server of a small zone answers to a message.
pub fn answer(message: &[u8], over_tcp: bool) -> Option<Vec<u8>> {
    let mut zone = Zone::default();
    let echo: [IpAddr; 2] = [[203, 0, 113, 10].into(), [0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10].into()];
    zone.records.insert("echo.lab.test".into(), echo.to_vec());
    zone.records.insert("many.lab.test".into(), (0..200).map(|n| [203, 0, 113, n].into()).collect());
    zone.answer(message, over_tcp)
}

/// Plans a topology: every command is one line without control characters.
pub fn plan(topology: &Topology) {
    let plan = crate::plan::plan(topology);
    let commands = plan.cables.iter().chain(plan.places.iter().flat_map(|place| &place.ip));
    for command in commands {
        assert!(!command.chars().any(char::is_control), "{command:?}");
    }
}
