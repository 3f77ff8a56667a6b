//! The results of getaddrinfo, and what gai_strerror says of them.

use super::Alias;
use crate::code::{BAD_ADDRESS, BAD_PORT, Code, NAME_LOOKUP_FAILED, NAME_NOT_FOUND, NO_ADDRESS_OF_FAMILY};

/// What getaddrinfo returns.
pub(super) struct Lookup {
    /// On Windows another, and a number of its own.
    pub(super) name: &'static str,
    pub(super) glibc: Option<i16>,
    pub(super) windows: Option<(&'static str, u16)>,
    texts: &'static [&'static str],
    pub(super) codes: &'static [Code],
}

/// From getaddrinfo(3), gai_strerror(3) and the list of Windows Sockets error codes.
pub(super) const LOOKUPS: &[Lookup] = &[
    Lookup {
        name: "EAI_NONAME",
        glibc: Some(-2),
        windows: Some(("WSAHOST_NOT_FOUND", 11001)),
        texts: &[
            "Name or service not known",
            "nodename nor servname provided, or not known",
            "Name does not resolve",
            "No such host is known",
        ],
        codes: &[NAME_NOT_FOUND],
    },
    Lookup {
        name: "EAI_NODATA",
        glibc: Some(-5),
        windows: Some(("WSANO_DATA", 11004)),
        texts: &[
            "No address associated with hostname",
            "Name has no usable address",
            "The requested name is valid, but no data of the requested type was found",
        ],
        codes: &[NAME_NOT_FOUND, NO_ADDRESS_OF_FAMILY],
    },
    Lookup {
        name: "EAI_AGAIN",
        glibc: Some(-3),
        windows: Some(("WSATRY_AGAIN", 11002)),
        texts: &[
            "Temporary failure in name resolution",
            // musl says no more than that: it has to stand behind what names the lookup.
            "getaddrinfo ... Try again",
            "resolve ... Try again",
            "This is usually a temporary error during hostname resolution",
        ],
        codes: &[NAME_LOOKUP_FAILED],
    },
    Lookup {
        name: "EAI_FAIL",
        glibc: Some(-4),
        windows: Some(("WSANO_RECOVERY", 11003)),
        texts: &[
            "Non-recoverable failure in name resolution",
            "Non-recoverable error",
            "A non-recoverable error occurred during a database lookup",
        ],
        codes: &[NAME_LOOKUP_FAILED],
    },
    Lookup {
        name: "EAI_ADDRFAMILY",
        glibc: Some(-9),
        windows: None,
        texts: &["Address family for hostname not supported"],
        codes: &[NO_ADDRESS_OF_FAMILY],
    },
    Lookup {
        name: "EAI_SERVICE",
        glibc: Some(-8),
        windows: Some(("WSATYPE_NOT_FOUND", 10109)),
        texts: &["Servname not supported for ai_socktype", "Unrecognized service"],
        codes: &[BAD_PORT],
    },
    Lookup {
        name: "EAI_IDN_ENCODE",
        glibc: Some(-105),
        windows: None,
        texts: &["Parameter string not correctly encoded"],
        codes: &[BAD_ADDRESS],
    },
];

impl Lookup {
    /// Its name and its texts.
    pub(super) fn names(&self) -> Vec<Alias> {
        let Self { name, codes, .. } = *self;
        let mut names = vec![Alias::new(name, "a result of getaddrinfo, which looks up names", codes)];
        let texts = self.texts.iter();
        names.extend(
            texts.map(|text| Alias::new(*text, format!("how getaddrinfo's {name} is written"), codes)),
        );
        if let Some((name, number)) = self.windows {
            names.push(Alias::new(name, format!("error {number} of Windows Sockets"), codes));
        }
        names
    }
}
