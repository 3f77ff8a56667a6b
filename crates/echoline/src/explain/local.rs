//! What this machine says no to.

use super::Page;
use crate::code::Code;

pub(super) static NO_LOCAL_PORT: Page = Page {
    code: Code::NoLocalPort.as_str(),
    title: "No local port is free for one more connection.",
    so: "this machine has too many connections to that one endpoint, open or just closed",
    meaning: "Each connection has a port on this side too, taken from a range of about 28,000. A port whose connection \
              to the same endpoint was closed from this side stays reserved for a minute (TIME_WAIT), so that late \
              packets do no harm. All of them are taken.",
    causes: &[
        "Many short connections to one endpoint, one after the other: a load test, or a client that does not keep its \
         connections.",
        "Connections that are never closed.",
        "The range of local ports was made small.",
    ],
    tell: &[
        "Count the connections by state: ss -tan | awk '{print $1}' | sort | uniq -c",
        "Show the range: cat /proc/sys/net/ipv4/ip_local_port_range",
    ],
    next: &[
        "keep connections open and use them again, or wait a minute",
        "connect from a further source address, which has ports of its own",
        "widen the range: sysctl net.ipv4.ip_local_port_range",
    ],
};

pub(super) static ADDRESS_NOT_AVAILABLE: Page = Page {
    code: Code::AddressNotAvailable.as_str(),
    title: "The address belongs to no interface of this machine.",
    so: "the address is another machine's, or not set up here yet",
    meaning: "To listen on an address, or to connect from it, this machine must have it. A machine behind a router \
              does not have the public address of the router; it has a private one.",
    causes: &[
        "The public address of a router or a cloud network was given; the machine has only its private one.",
        "The address is mistyped, or was changed since (DHCP).",
        "The interface is not up yet, as when a service starts before the network.",
        "IPv6 is switched off on this machine.",
    ],
    tell: &["List the addresses of this machine: ip address (Linux), ifconfig (macOS), ipconfig (Windows)."],
    next: &[
        "use an address that this machine has: ip address lists them",
        "to listen on every address, listen on 0.0.0.0 or [::]",
    ],
};

pub(super) static ADDRESS_IN_USE: Page = Page {
    code: Code::AddressInUse.as_str(),
    title: "Another socket holds the address and port.",
    so: "another program, or an earlier run of this one, listens there",
    meaning: "Only one program at a time can listen on a port of an address. A listener on all addresses (0.0.0.0 or \
              [::]) holds the port on each of them.",
    causes: &[
        "An earlier run of the same server is still there, in the background or in another terminal.",
        "Another program uses the port.",
        "A client connection happens to have this port as its local one.",
    ],
    tell: &[
        "Show who holds it: ss -ltnp 'sport = :PORT' (Linux; as root for other users), lsof -iTCP:PORT (macOS).",
    ],
    next: &[
        "end the program that holds the port: ss -ltnp shows it; or choose another port",
        "let the system choose: listen on port 0",
    ],
};

pub(super) static PERMISSION_DENIED: Page = Page {
    code: Code::PermissionDenied.as_str(),
    title: "This machine's rules forbid it to this user.",
    so: "the port is reserved for privileged programs, or a rule of this machine says no",
    meaning: "To listen on a port below 1024, most systems ask for a privilege; so no ordinary user can pretend to be a \
              web or mail server. To connect, the route may be of the kind prohibit, or a sandbox or a security module \
              may forbid the network.",
    causes: &[
        "Listening: the port is below 1024, and the user is not root.",
        "Connecting: the route to the address is of the kind prohibit, or the address is a broadcast address.",
        "A container, a sandbox, SELinux or AppArmor forbids it.",
    ],
    tell: &[
        "Listening on a port from 1024 works: then the port is the reason.",
        "Ask for the route: ip route get ADDRESS. It says prohibit if that is the reason.",
    ],
    next: &[
        "to listen, choose a port from 1024 up",
        "or give the program the right to: setcap cap_net_bind_service=+ep PROGRAM (Linux)",
        "or lower the limit: sysctl net.ipv4.ip_unprivileged_port_start",
    ],
};

pub(super) static TOO_MANY_OPEN_FILES: Page = Page {
    code: Code::TooManyOpenFiles.as_str(),
    title: "This process, or the machine, has no file descriptor left.",
    so: "the program holds as many connections and files as it may",
    meaning: "Each connection is a file descriptor, and a process may have only so many, often 1,024. A connection that \
              waits to be accepted goes on waiting, and is served as soon as another one closes.",
    causes: &[
        "More connections at once than the limit allows.",
        "Connections that are never closed.",
        "A limit of the whole machine (fs.file-max).",
    ],
    tell: &["Compare: ls /proc/PID/fd | wc -l, with the line Max open files of cat /proc/PID/limits."],
    next: &[
        "raise the limit for the program: ulimit -n, or LimitNOFILE= in its systemd unit",
        "let the program close connections that idle",
    ],
};

pub(super) static SYSTEM: Page = Page {
    code: Code::System.as_str(),
    title: "The operating system refused, for a reason without a code of its own.",
    so: "see what the operating system said",
    meaning: "The message ends with the words of the operating system. Echoline has no more to say about it.",
    causes: &[
        "An option that the operating system does not take, such as a buffer size or a timeout out of range.",
        "A lack of memory, or another limit of the machine.",
    ],
    tell: &["Look up the words of the operating system in the manual: man 2 connect, man 2 bind, man 7 tcp."],
    next: &[
        "look at what the operating system said, at the end of the message",
        "on Linux, see the system call that failed: strace -f -e trace=network PROGRAM",
    ],
};
