//! Endpoints and names.

use super::Page;
use crate::code::Code;

pub(super) static BAD_ADDRESS: Page = Page {
    code: Code::BadAddress.as_str(),
    title: "The host is neither a name nor the IP address of a host.",
    so: "the host is mistyped",
    meaning: "A host is a name, such as example.com, an IPv4 address, which is four numbers from 0 to 255 with dots \
              between them, or an IPv6 address. Nothing was sent to the network: the text itself is wrong. Short \
              (127.1), octal (010.0.0.1) and hexadecimal forms of IPv4 are refused, because programs disagree about \
              what they mean.",
    causes: &[
        "A number of an IPv4 address is above 255, starts with 0, or is missing.",
        "Only a port was given where a host was expected.",
        "A URL with a path, a user name or an unknown scheme was given where a host was expected.",
        "An IPv6 address with a port stands without brackets.",
        "The address stands for a group of hosts (multicast, or 255.255.255.255 for all of a network), and a TCP \
         connection has one other end.",
    ],
    tell: &["The message quotes the part that is wrong."],
    next: &[
        "write host:port, such as localhost:5151, 192.0.2.1:5151 or [2001:db8::1]:5151",
        "for this machine, write localhost, 127.0.0.1 or ::1",
        "for a link-local IPv6 address, add the interface: [fe80::1%eth0]:5151",
    ],
};

pub(super) static BAD_PORT: Page = Page {
    code: Code::BadPort.as_str(),
    title: "The port is missing, or is no number from 0 to 65535.",
    so: "the port is mistyped",
    meaning: "A port is a number of 16 bits that tells the programs on one host apart. Nothing was sent to the \
              network: the text itself is wrong.",
    causes: &[
        "The number is above 65535 or below 0.",
        "A name such as http stands where the number was expected.",
        "The port was left out where nothing has a default.",
        "It is 0, and a connection was to be opened: only a listener may leave the choice to the system.",
    ],
    tell: &["The message quotes the part that is wrong."],
    next: &[
        "write a number from 1 to 65535 after the host, such as localhost:5151",
        "to listen on any free port, use port 0 and read the real one from the program's output",
    ],
};

pub(super) static NAME_NOT_FOUND: Page = Page {
    code: Code::NameNotFound.as_str(),
    title: "The name does not exist, or has no address.",
    so: "the name is mistyped, or known only in another network",
    meaning: "A name server was reached, and it answered that there is no such name, or that the name has no IP \
              address. Before a program can connect, a name has to be turned into an address; that step failed, so \
              nothing was sent to the host itself.",
    causes: &[
        "The name is mistyped.",
        "The name is known only inside a company network or a VPN, and this machine is not in it.",
        "The name was set up or renamed a short time ago, and an older answer is still stored somewhere.",
        "A short name (db1) needs a search domain that this machine does not have.",
    ],
    tell: &[
        "Look up a name that surely exists (getent hosts example.com). If that works, the name is the problem, not \
         the name server.",
        "Ask another name server (dig @1.1.1.1 NAME). If it knows the name, yours is behind or filtered.",
        "Try the full name, with all its domains.",
    ],
    next: &[
        "check the spelling, and try the full name with its domain",
        "connect to the VPN, if the name belongs to a private network",
        "use the IP address, if you know it",
    ],
};

pub(super) static NAME_LOOKUP_FAILED: Page = Page {
    code: Code::NameLookupFailed.as_str(),
    title: "The name could not be looked up.",
    so: "no name server answers, or it is broken; the name itself may be fine",
    meaning: "The system's resolver gave up without an answer: neither an address, nor that the name does not exist. \
              It cannot be told from here whether the name exists. The host itself was not tried.",
    causes: &[
        "This machine has no network at the moment.",
        "The name servers of this machine (/etc/resolv.conf) do not answer, or refuse to.",
        "The name servers of the name's domain are down or misconfigured (SERVFAIL).",
        "A firewall drops DNS, UDP and TCP port 53.",
    ],
    tell: &[
        "Look up another name (getent hosts example.com). If that fails too, the fault is on this side.",
        "Connect to an IP address. If that works, the network is fine, and only names are not.",
    ],
    next: &[
        "see whether any other name can be looked up: getent hosts example.com",
        "check which name servers this machine asks: resolvectl status, or cat /etc/resolv.conf",
        "use the IP address, if you know it",
    ],
};

pub(super) static NAME_LOOKUP_TIMED_OUT: Page = Page {
    code: Code::NameLookupTimedOut.as_str(),
    title: "The lookup of the name took longer than allowed.",
    so: "a name server does not answer, or answers very slowly",
    meaning: "The system's resolver asks several name servers, several times, and waits seconds each time. Its answer \
              did not come before the deadline for connecting. The host itself was not tried.",
    causes: &[
        "The name servers of this machine do not answer, as after a change of network or with a VPN half up.",
        "A firewall drops DNS, UDP and TCP port 53.",
        "The name servers of the name's domain are very slow.",
    ],
    tell: &[
        "Take the time of a lookup (time getent hosts NAME). About 5, 10 or 15 seconds mean silent servers.",
        "Connect to an IP address. If that works at once, only names are slow.",
    ],
    next: &[
        "see how long the system's own lookup takes: time getent hosts NAME",
        "allow more time to connect, if names are always slow here",
        "use the IP address, if you know it",
    ],
};

pub(super) static NO_ADDRESS_OF_FAMILY: Page = Page {
    code: Code::NoAddressOfFamily.as_str(),
    title: "The host has no address of the IP version that was asked for.",
    so: "the host has only the other IP version",
    meaning: "There are two versions of IP, and a host may have addresses of one or both. What was asked for (IPv4 \
              only, IPv6 only, or a source address of one version) leaves no address of this host to connect to.",
    causes: &[
        "IPv4 or IPv6 was forced, and the host has only the other.",
        "The source address is of one version, and the host has only the other.",
        "The name has no AAAA record (IPv6) yet, though the host has IPv6.",
    ],
    tell: &["List the addresses of the name: getent ahosts NAME"],
    next: &[
        "do not force an IP version, or force the other one",
        "choose a source address of the same IP version as the host's address",
    ],
};

pub(super) static RESOLVER_BUSY: Page = Page {
    code: Code::ResolverBusy.as_str(),
    title: "Too many lookups of this program are stuck already.",
    so: "the name servers of this machine do not answer",
    meaning: "A lookup by the system cannot be interrupted. One that takes too long is abandoned and goes on in the \
              background. 16 of this program were still under way, and none ended in time, so no other was begun.",
    causes: &[
        "The name servers of this machine do not answer, so that every lookup waits for its longest time.",
        "The program connects to many names at once.",
    ],
    tell: &[
        "Take the time of a lookup: time getent hosts example.com. More than a few seconds: no server answers.",
    ],
    next: &[
        "check the name servers of this machine: resolvectl status, or cat /etc/resolv.conf",
        "wait until the older lookups have ended, and try again",
        "use IP addresses, which need no lookup",
    ],
};
