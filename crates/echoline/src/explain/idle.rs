//! What becomes of a connection on which nobody says anything.

use super::Page;
use crate::code::Code;

pub(super) static IDLE_CLOSED: Page = Page {
    code: Code::IdleClosed.as_str(),
    title: "The other side ends a connection on which nothing was said for a time.",
    so: "it has an idle timeout, and it says goodbye in order (FIN)",
    meaning: "The connection worked. After a silence the other side finished it, while another connection on which \
              something was said went on. So the silence is the reason. That is the friendly way: a program that reads \
              learns of it at once.",
    causes: &[
        "The server has an idle timeout, a keep-alive timeout or a time limit for logging in.",
        "A proxy or a load balancer between has one.",
    ],
    tell: &[
        "Look for the number of seconds in the server's configuration, then in those of proxies and load balancers.",
        "Connect to the server past the proxy, and see whether it is the same time.",
    ],
    next: &[
        "send something more often than that, or connect anew when it is needed",
        "or raise the idle timeout of the server or the proxy",
        "in a pool of connections, close those that idle a little earlier than the other side does",
    ],
};

pub(super) static IDLE_RESET: Page = Page {
    code: Code::IdleReset.as_str(),
    title: "A connection on which nothing was said for a time is reset.",
    so: "something ended it without order: the server, or a firewall that had forgotten it",
    meaning: "The connection worked. After a silence a reset (RST) came, by itself or in answer to the next bytes, \
              while another connection on which something was said went on. A reset does not prove who sent it.",
    causes: &[
        "A load balancer or a firewall forgot the connection and resets what it does not know any more.",
        "The server has an idle timeout, and closes without order (SO_LINGER 0).",
        "The server closed earlier, and its FIN was lost on the way.",
    ],
    tell: &[
        "By itself, at a round time: the server or a load balancer. Only in answer to the next bytes: something that \
         forgot.",
        "Connect to the server past the load balancer, and see whether it is the same time.",
    ],
    next: &[
        "send something more often, or switch TCP keepalive on (SO_KEEPALIVE, TCP_KEEPIDLE)",
        "or raise the idle timeout where it is configured",
        "let the program connect anew and repeat, when a connection breaks after a silence",
    ],
};

pub(super) static IDLE_LOST: Page = Page {
    code: Code::IdleLost.as_str(),
    title: "A connection on which nothing was said for a time is dead, and nobody says so.",
    so: "a router with NAT, a firewall or a load balancer forgot it: what is sent next vanishes",
    meaning: "The connection worked. After a silence, what was sent got no answer at all, while another connection on \
              which something was said went on, and a new one worked at once. So something on the way keeps a table of \
              connections and removed the silent one. Neither program learns of it until it sends, and then it waits \
              for many minutes.",
    causes: &[
        "A home router or a provider's NAT keeps silent connections for a few minutes only (RFC 5382 asks for 2 hours \
         and 4 minutes).",
        "A firewall or a cloud's load balancer forgets them: 350 seconds, 4 minutes and 1 hour are usual.",
        "A VPN or a mobile network was away in the meantime.",
    ],
    tell: &[
        "Try from another network, past the router: if it survives there, the router forgets.",
        "While it hangs, ss -ti on both machines: the side that sends counts retrans, the other one sees nothing.",
    ],
    next: &[
        "switch TCP keepalive on, with a time shorter than the one found (SO_KEEPALIVE, TCP_KEEPIDLE)",
        "or send something of your own more often (ServerAliveInterval in ssh, heartbeats in brokers)",
        "set TCP_USER_TIMEOUT, so that a program notices a dead connection in seconds",
    ],
};
