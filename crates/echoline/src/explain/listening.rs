//! The serving side: is a program there, for whom, and does it take connections?

use super::Page;
use crate::code::Code;

pub(super) static NOT_LISTENING: Page = Page {
    code: Code::NotListening.as_str(),
    title: "No program of this machine listens there.",
    so: "the server does not run, or it listens on another port, address or IP version",
    meaning: "The kernel has a table of all sockets that wait for connections. None of them is on this port and takes \
              connections to this address, so whoever connects is refused.",
    causes: &[
        "The server is not running, or it has not come so far: it may still start, or have failed at its start.",
        "The server has another port.",
        "The server listens on one address, such as 127.0.0.1, and another one was asked for.",
        "The server listens on one IP version only: a socket on [::] that takes no IPv4 (IPV6_V6ONLY), or one on \
         0.0.0.0, which never takes IPv6.",
        "It runs in a container: its port is there, and here only if it is published.",
    ],
    tell: &[
        "List who listens: sudo ss -ltnp. For a container: docker ps shows the published ports.",
        "Look at the server's own log: most say on which address and port they listen.",
    ],
    next: &[
        "start the server, or check its port: sudo ss -ltnp lists who listens",
        "let it listen on the address and the IP version that clients use",
        "for a container, publish the port: docker run -p PORT:PORT",
    ],
};

pub(super) static LOOPBACK_ONLY: Page = Page {
    code: Code::LoopbackOnly.as_str(),
    title: "The program listens for this machine alone.",
    so: "it listens on 127.0.0.1 or ::1, and everybody else is refused",
    meaning: "A socket that listens on a loopback address gets only what this very machine sends. Whoever connects from \
              elsewhere is refused, as if the program were not there. Many servers do so by default, so that nobody \
              serves the world by accident.",
    causes: &[
        "It is the server's default: development servers, databases and echoline serve do so.",
        "Its configuration says 127.0.0.1 or localhost.",
        "A name in its configuration leads to 127.0.0.1 or 127.0.1.1 in /etc/hosts.",
    ],
    tell: &[
        "ss -ltn shows the address before the port: 127.0.0.1 or [::1] is this machine, 0.0.0.0, [::] or * is all.",
    ],
    next: &[
        "let it listen on every address, 0.0.0.0 or [::]: often a flag such as --host or --bind",
        "for echoline serve: echoline serve :PORT",
        "or leave it so and reach it through ssh -L PORT:localhost:PORT HOST",
    ],
};

pub(super) static NOT_ACCEPTING: Page = Page {
    code: Code::NotAccepting.as_str(),
    title: "A program listens, and takes no connections.",
    so: "it is stopped or stuck, or so busy that its queue is full",
    meaning: "The kernel finishes the handshake for a program and puts the connection into the queue of its socket, \
              from which the program takes it (accept). When it does not, clients are connected and get no answer; when \
              the queue is full, the kernel drops new requests, and clients see silence, as from a firewall that drops.",
    causes: &[
        "The program is stopped: Ctrl-Z, a debugger, SIGSTOP, a frozen container.",
        "The program is stuck, or works on one connection at a time.",
        "The program has no file descriptor left, so that its accept fails.",
        "More clients come at once than it takes; its queue (the backlog of listen) is short.",
    ],
    tell: &[
        "ss -ltn: Recv-Q is how many wait, Send-Q how many may wait. Recv-Q above Send-Q: the queue is full.",
        "ps -o pid,stat,cmd -p PID: a T in STAT means stopped.",
        "nstat -az TcpExtListenOverflows counts what a full queue dropped.",
    ],
    next: &[
        "if the program is stopped, let it go on: kill -CONT PID, or fg in its shell",
        "look at its log, its processor time and its open files; restart it if it is stuck",
        "if it is only busy: a longer backlog in the program, and net.core.somaxconn to allow it",
    ],
};
