//! Getting to the other side.

use super::Page;
use crate::code::Code;

pub(super) static REFUSED: Page = Page {
    code: Code::Refused.as_str(),
    title: "The host answered that nothing listens on the port.",
    so: "the host is up, but no program listens on that port there",
    meaning: "The connection request arrived and came back refused (a TCP reset, RFC 9293 section 3.10.7.1). So the \
              name, the route and the way back work. What is missing is a program that listens on this port, on this \
              address.",
    causes: &[
        "The server is not running, or has not started to listen yet.",
        "The port is wrong.",
        "The server listens on another address: one that listens on 127.0.0.1 is reachable only from its own \
         machine, and one that listens on IPv4 only refuses IPv6.",
        "A firewall is set to reject; it then answers in the host's place.",
        "A router without a port forward answers, not the machine behind it.",
    ],
    tell: &[
        "On the server, list who listens: ss -ltn (Linux), lsof -iTCP -sTCP:LISTEN (macOS), netstat -an (Windows).",
        "0.0.0.0 or [::] in that list is reachable from outside; 127.0.0.1 and [::1] are not.",
        "On the server, connect to localhost and that port. If it works there, a firewall or the address it listens \
         on is in the way.",
    ],
    next: &[
        "start the server, or check the port: ss -ltn on its machine lists who listens",
        "let the server listen on an address that others can reach",
        "behind a home router, forward the port to the server's machine",
    ],
};

pub(super) static NO_ANSWER: Page = Page {
    code: Code::NoAnswer.as_str(),
    title: "Nothing came back to the connection request.",
    so: "the host is down, or a firewall drops: a closed port usually refuses",
    meaning: "The connection request (SYN) was sent, repeated, and neither accepted nor refused in the time allowed. \
              A host that is up and not behind a firewall answers in any case: with a yes, or with a refusal. Silence \
              means that the request, or the answer, was lost on the way or dropped on purpose.",
    causes: &[
        "A firewall drops the request: on the host, in the network between, or in a cloud's security group.",
        "The host is off, or has another address now.",
        "The address is private (10.x, 172.16.x to 172.31.x, 192.168.x), and you are in another network.",
        "A firewall on this machine drops what goes out.",
        "The server's queue of waiting connections is full: it is overloaded, or stopped.",
    ],
    tell: &[
        "Ping the host. An answer to ping and none here points at a firewall that drops this port. No answer to ping \
         says little: many hosts do not answer it.",
        "Try another port of the host that should be open or closed. A refusal there means that the host is up.",
        "Try from another network, such as a phone's.",
        "On the host, watch the requests arrive: tcpdump -n tcp port PORT. If they do, the answer is lost; if not, \
         the request is.",
    ],
    next: &[
        "check that the host is up and has this address, then the firewalls on the way",
        "try another port of the host: a refusal shows that it is up",
        "allow more time to connect, if the way there is very slow",
    ],
};

pub(super) static NO_ROUTE: Page = Page {
    code: Code::NoRoute.as_str(),
    title: "There is no route to the network of the host.",
    so: "this machine, or a router, knows no way to that network",
    meaning: "Each machine has a table that says through which interface or router to reach a network. For this \
              address no entry fits, or the entry says to discard. Either the own machine noticed, and nothing was \
              sent, or a router on the way said so.",
    causes: &[
        "This machine has no network at the moment: no cable, no Wi-Fi, no address.",
        "The address is IPv6, and this machine has no IPv6 connection.",
        "The address belongs to a VPN that is not connected.",
        "The default route is missing, or a route of the kind blackhole or unreachable was set.",
    ],
    tell: &[
        "Ask for the route: ip route get ADDRESS (Linux), route -n get ADDRESS (macOS).",
        "An attempt that failed within a millisecond was turned away by this machine; one that took longer, by a \
         router.",
    ],
    next: &[
        "see which route is used: ip route get ADDRESS",
        "check that this machine is connected: ip address, ip route",
        "if only IPv6 fails, connect over IPv4",
    ],
};

pub(super) static HOST_UNREACHABLE: Page = Page {
    code: Code::HostUnreachable.as_str(),
    title: "A router, or this machine, says that the host cannot be reached.",
    so: "the network is right, but no such host answers in it, or a firewall says no",
    meaning: "The way to the host's network exists, but the last step does not work: the machine next to the host \
              asked for it there (ARP, or neighbour discovery with IPv6) and got no answer. Or a firewall answered \
              with this message on purpose.",
    causes: &[
        "The host is off, or no longer has this address.",
        "The address is mistyped, and nobody has it.",
        "A router forwards the port to a machine that is off. The router's own address is then the sender of the message.",
        "A firewall rejects with host-unreachable or admin-prohibited.",
        "The Wi-Fi keeps its clients apart (client isolation).",
    ],
    tell: &[
        "About three seconds until the error: nobody answered the question for the host in its network. At once: a \
         firewall, or a route that says so.",
        "In the own network, list the neighbours: ip neigh. FAILED or INCOMPLETE means that nobody has the address.",
    ],
    next: &[
        "check that the host is on and that its address is right: ip address, on the host",
        "if the error came at once, look for a firewall that rejects",
    ],
};
