//! LISTEN: the forms in which a place to listen is written.

use echoline::{Endpoint, Port};
use echoline_diagnosis::{Diagnosis, code, host, text};

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Both loopback addresses: this machine only.
    Loopbacks(Port),
    /// All interfaces, both families.
    Everywhere(Port),
    /// One host.
    At(Endpoint),
}

impl Place {
    /// Reads `PORT`, `:PORT`, `HOST` or `HOST:PORT`; `usual` is the port where none is written.
    pub fn parse(listen: &str, usual: Port) -> Result<Self, Diagnosis> {
        // As other programs write "everywhere".
        if let Some(port) = listen.strip_prefix("*:") {
            let message = text!("the * in {} is no address", host(listen));
            return Err(Diagnosis::new(code::BAD_ADDRESS, message)
                .next(text!("every network, IPv4 and IPv6: :{}", host(port))));
        }
        // `:PORT`, but not `::1`.
        if let Some(port) = listen.strip_prefix(':').filter(|rest| !rest.contains(':')) {
            return Ok(Self::Everywhere(port.parse::<Port>()?));
        }
        if !listen.is_empty() && listen.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self::Loopbacks(listen.parse::<Port>()?));
        }
        let endpoint = Endpoint::parse_with_default(listen, usual)?;
        Ok(if endpoint.host().is_localhost() { Self::Loopbacks(endpoint.port()) } else { Self::At(endpoint) })
    }
}
