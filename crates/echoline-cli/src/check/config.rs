//! What the flags of `echoline check` mean together.

use echoline::Port;
use echoline_check::{Expect, HostOptions, ListenOptions, Place, Scheme};

use super::args::Args;
use crate::destination::endpoint;

/// `None` without a host.
pub(super) fn host(args: &Args) -> Option<HostOptions> {
    let host = args.host.as_ref()?;
    let mut options = match endpoint(host, args.port.as_deref(), Port::DEFAULT) {
        Ok(endpoint) => HostOptions::new(endpoint),
        Err(error) => HostOptions::unreadable(host, error),
    };
    options.scheme = match host.split_once("://") {
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("http") => Some(Scheme::Http),
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => Some(Scheme::Https),
        _ => None,
    };
    if options.scheme.is_some() {
        options.expect = Expect::Connect;
    }
    if let Some(expect) = args.expect {
        options.expect = expect.into();
    }
    options.family = args.families.family();
    options.timeout = args.timeout.0;
    options.source = args.source;
    options.controls = !args.no_controls;
    options.hops = args.hops;
    options.whoami = args.whoami.map(Port::get);
    options.backends = args.backends.map(usize::from);
    options.idle = args.idle.map(|idle| idle.0);
    Some(options)
}

/// `None` without `--listen`.
pub(super) fn listen(args: &Args) -> Option<ListenOptions> {
    let asked = args.listen.clone()?;
    // A port alone is meant as in `:PORT`: who checks whether it can be reached means others.
    let bare = !asked.is_empty() && asked.bytes().all(|byte| byte.is_ascii_digit());
    let text = if bare { format!(":{asked}") } else { asked.clone() };
    let mut options = ListenOptions::new(asked, Place::parse(&text, Port::DEFAULT));
    options.family = args.families.family();
    options.timeout = args.timeout.0;
    Some(options)
}
