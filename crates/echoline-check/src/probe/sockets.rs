//! The TCP sockets of this machine, or of this network namespace, as /proc shows them to everybody.

use procfs::net::{TcpNetEntry, tcp, tcp6};

/// All of them; `None` where the system shows no table at all.
pub(crate) fn tcp_sockets() -> Option<Vec<TcpNetEntry>> {
    // Each table is missing where its family is.
    let tables: Vec<_> = [tcp(), tcp6()].into_iter().flatten().collect();
    (!tables.is_empty()).then(|| tables.into_iter().flatten().collect())
}
