//! Offloads: what a kernel leaves undone because the next interface would do it.
//!
//! A frame between two veths is handed over with an unfinished checksum, and up to 64 KiB long. A program
//! that forwards it has to see it as it would be on a wire, so impaired links switch that off.

use std::io;

use crate::sys::ethtool;

/// `ETHTOOL_S{TXCSUM,SG,TSO,GSO,GRO}` of linux/ethtool.h.
const OFFLOADS: [(&str, u32); 5] =
    [("tso", 0x1f), ("gso", 0x24), ("gro", 0x2c), ("tx checksum", 0x17), ("scatter-gather", 0x19)];

/// Switches off what makes frames leave `interface` unfinished, as `ethtool -K IF tx off sg off tso off gso off
/// gro off` does. Acts in the calling thread's network namespace; both ends of a veth pair need it.
///
/// # Errors
///
/// Which of them could not be switched off, and where: no such interface, or no right to change it.
pub fn offload_off(interface: &str) -> io::Result<()> {
    for (name, command) in OFFLOADS {
        ethtool(interface, command, 0).map_err(|e| {
            let interface = interface.escape_debug();
            io::Error::new(e.kind(), format!("cannot switch off {name} on '{interface}': {e}"))
        })?;
    }
    Ok(())
}
