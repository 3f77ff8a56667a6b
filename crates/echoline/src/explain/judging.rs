//! What takes more than one failed connect to know: the conclusions of a check.

use super::Page;
use crate::code::Code;

pub(super) static NAME_SERVER_SILENT: Page = Page {
    code: Code::NameServerSilent.as_str(),
    title: "No configured name server answers.",
    so: "the name may be fine; the machine that should know it is silent or out of reach",
    meaning: "A name becomes an address by asking a name server. The system's lookup failed, and a question put \
              directly to each configured server (UDP, port 53) brought no answer either. So nothing is known about \
              the name itself.",
    causes: &[
        "This machine is not connected to the network at all.",
        "The configured server is one of another network: a VPN that is down, an office, an old router.",
        "A firewall drops questions to port 53, or those to other servers than the network's own.",
        "The name server is down.",
        "The name server is well, and still waits for the servers of the name itself, which are down: that takes it many \
         seconds.",
    ],
    tell: &[
        "Connect to an address instead of a name. If that works, only the names are broken.",
        "Look up another name: getent hosts example.com. If that works, the name's own servers are at fault.",
        "Ask a server by hand: dig @ADDRESS NAME. Try another one for comparison.",
        "List what is configured: cat /etc/resolv.conf, or resolvectl status.",
    ],
    next: &[
        "see which name servers are configured: cat /etc/resolv.conf, resolvectl status",
        "use the address of the host meanwhile",
        "reconnect to the network, so that it tells its name servers again (DHCP)",
    ],
};

pub(super) static REJECTED: Page = Page {
    code: Code::Rejected.as_str(),
    title: "A firewall on the way, or on the host, answered no.",
    so: "a rule rejects the request; whoever runs the machine named can allow it",
    meaning: "The request was turned away by a rule, and the sender of the answer said so: with an ICMP message, whose \
              type, code and sender are evidence, or with a reset from a place where the host is not. That is more \
              helpful than a firewall that drops: the way there works up to the one who answered.",
    causes: &[
        "The host's firewall rejects the port: firewalld and ufw do so in some settings.",
        "A company's or a provider's firewall does not let this port out, or in.",
        "A router has a rule against this network.",
    ],
    tell: &[
        "The sender of the ICMP message is the machine with the rule. The host's own address means its own firewall, or \
         that of the machine to which it forwards the port.",
        "port-unreachable and the kinds of prohibited are decisions; host-unreachable and net-unreachable can also be \
         honest reports. If another port of the host works, they are decisions as well.",
        "A reset from fewer hops away than the host comes from something between. It does not say its address.",
    ],
    next: &[
        "on the machine that answered, allow the port: nft list ruleset, ufw status",
        "ask whoever runs the network whether this port is allowed",
        "try from another network",
    ],
};

pub(super) static DROPPED: Page = Page {
    code: Code::Dropped.as_str(),
    title: "The host is up, but requests to this port vanish.",
    so: "a firewall drops them: the host answers elsewhere, and a closed port would refuse",
    meaning: "Nothing came back to the request, and yet something else shows that the host is there: it accepted or \
              refused another port, or it told its neighbour its hardware address. A host without a firewall answers \
              on each port, with a yes or with a refusal. So a rule drops what goes to this one. It is likely, not \
              certain: a server whose queue is full is silent too.",
    causes: &[
        "The host's firewall drops by default and has no rule for this port.",
        "The cloud's security group, or the router's port forward, knows only other ports.",
        "A firewall between drops this port.",
        "The server is stopped or overloaded, so that its queue of new connections is full.",
    ],
    tell: &[
        "On the host, watch the requests arrive: tcpdump -n tcp port PORT. If they do, its own firewall drops them.",
        "On the host, connect to itself at that address. If that works, the rule is about where it comes from.",
        "A full queue: ss -ltn shows Recv-Q above Send-Q.",
    ],
    next: &[
        "allow the port in the firewall of the host, or of its network or cloud",
        "on the host, see whether requests arrive: tcpdump -n tcp port PORT",
        "compare from another network",
    ],
};

pub(super) static LOCAL_FIREWALL: Page = Page {
    code: Code::LocalFirewall.as_str(),
    title: "This machine's own rules stop it.",
    so: "a firewall on this very machine is in the way, for what goes out or for what comes in",
    meaning: "Going out: the request did not leave this machine, or its own rules answered it. The evidence: an ICMP \
              message whose sender is this machine, or requests that the kernel made and never handed to the network. \
              Coming in: a program listens here, and the rules do not let others reach it, or not even this machine.",
    causes: &[
        "A rule of nftables, iptables, ufw or firewalld for what goes out, often of a VPN with a kill switch.",
        "A firewall that lets nothing in but what is allowed by name: ufw and firewalld do so when they are on.",
        "A limit for the service that runs this: IPAddressDeny of systemd, or a security module.",
        "A container's network policy.",
    ],
    tell: &[
        "List the rules: sudo nft list ruleset, sudo iptables -S, sudo ufw status. The chains output and input are \
         about what goes out and what comes in.",
        "On the machine with the server: sudo echoline check --listen :PORT names the rule.",
        "Try as another user, outside the container, or without the VPN.",
    ],
    next: &[
        "look at the own rules: sudo nft list ruleset, sudo iptables -S, sudo ufw status",
        "to let others in: sudo ufw allow PORT/tcp, or sudo firewall-cmd --add-port=PORT/tcp",
        "switch the VPN off and try again",
        "outside the container or service, try the same",
    ],
};

pub(super) static NOT_ECHO: Page = Page {
    code: Code::NotEcho.as_str(),
    title: "What answers there is another program.",
    so: "the network works; the port belongs to a service that is no echo",
    meaning: "The connection works in both directions, but what came back is of another protocol, or has nothing to do \
              with what was sent. Another program listens on this port, and often its first bytes tell which.",
    causes: &[
        "The port is that of another service.",
        "A proxy or a load balancer answers with an error of its own.",
        "The echo service was replaced, or moved to another port.",
    ],
    tell: &[
        "Read what it sent: many protocols begin with their name.",
        "On the server, see which program has the port: ss -ltnp.",
    ],
    next: &[
        "check the port: on the server, ss -ltnp shows which program has it",
        "if this program is the one you want to reach, expect a connection, not an echo",
    ],
};

pub(super) static DATA_LOST: Page = Page {
    code: Code::DataLost.as_str(),
    title: "The connection stands, but what is sent on it does not arrive.",
    so: "small packets pass and larger ones are lost, or a firewall lets only the handshake through",
    meaning: "The handshake worked, so the way is open in both directions for small packets. But the other machine \
              does not acknowledge data: TCP sends it again and again. That is below the programs: neither of them \
              ever sees it.",
    causes: &[
        "A tunnel, a VPN or PPPoE on the way takes only smaller packets, and the ICMP message that says so is filtered \
         (a path MTU black hole, RFC 2923 section 2.1).",
        "A firewall or an inspecting proxy answers the handshake and then drops.",
        "The way back is another one, and a firewall on it does not know the connection.",
        "The host died right after the handshake.",
    ],
    tell: &[
        "Send one byte, then a long line: if the short one arrives, it is the size.",
        "Find the size that passes: ping -M do -s 1400 HOST, then less.",
        "Watch the repetitions: ss -ti shows retrans and unacked.",
    ],
    next: &[
        "lower the MTU of the interface to try: ip link set dev DEVICE mtu 1200",
        "let ICMP fragmentation needed and packet too big through the firewalls",
        "look for a firewall that inspects this port",
    ],
};

pub(super) static REQUEST_LOST: Page = Page {
    code: Code::RequestLost.as_str(),
    title: "The connection stands, but the service never got what was sent.",
    so: "something before the server takes connections and keeps the data, or it is another server",
    meaning: "The other end was asked (its service whoami) whether a line of a certain number had reached its echo \
              service, and it had not. So the line was lost on the way there, or went to another program: the \
              connection that stood did not lead to that service.",
    causes: &[
        "A firewall or proxy in front answers the handshake and does not pass the data on.",
        "Larger packets are lost on the way there (MTU).",
        "The port leads to another program than the echo service of that server.",
        "The server is too busy to read.",
    ],
    tell: &[
        "On the server, watch what arrives: tcpdump -n tcp port PORT. A handshake without data points at what is in \
         front.",
        "On the server, see which program has the port: ss -ltnp.",
    ],
    next: &[
        "look for a firewall or proxy before the server that takes connections and keeps the data",
        "on the server, see what arrives: tcpdump -n tcp port PORT",
        "check that the port leads to the echo service of that very server",
    ],
};

pub(super) static REPLY_LOST: Page = Page {
    code: Code::ReplyLost.as_str(),
    title: "The service got what was sent; its reply did not come back.",
    so: "the way back is broken: a firewall or a route there drops what the server sends",
    meaning: "The other end was asked (its service whoami) whether a line of a certain number had reached its echo \
              service, and it had. An echo service sends at once what it gets. So the reply was lost on the way back.",
    causes: &[
        "A firewall on the way back drops data, by size, by content or by its own state.",
        "The way back is another one than the way there, and a firewall on it does not know the connection.",
        "Larger packets are lost on the way back (MTU).",
    ],
    tell: &[
        "On the server, watch the repetitions: ss -ti shows retrans and unacked for this connection.",
        "On both ends, watch the packets: tcpdump -n tcp port PORT. What leaves there and does not come here is lost.",
    ],
    next: &[
        "look at the firewalls and routes on the way back, from the server to this machine",
        "on the server, see whether it repeats: ss -ti",
    ],
};
