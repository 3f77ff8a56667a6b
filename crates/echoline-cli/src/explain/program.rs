//! What the program says of itself: its command line, its input and output, and the server that it runs.

use echoline::explain::Page;

pub(super) static OK: Page = Page {
    code: "ok",
    title: "What was expected happened.",
    so: "the two programs can talk, as far as check tried",
    meaning: "Nothing is wrong. With --expect echo every byte that was sent came back unchanged: a line, a long line, \
              all byte values, CR LF, a line in two pieces, two lines at once, and an unfinished line at the end. With \
              --expect connect the connection stands and nothing was sent; of http:// a request was answered. With --listen the port is open, as far as \
              this machine can see. The sentence adds what is worth knowing all the same: a translated address, an \
              address of the name that does not work, an end of the conversation that did not come, a whoami that did \
              not answer, a firewall that lets some in and not others.",
    causes: &["The name, the way, the firewalls and the other program do what they should."],
    tell: &[
        "The word beside the code says how sure it is. cannot-tell: a part could not be looked at, and the sentence \
         names it.",
        "A step with WARN is something that works and may hurt later.",
    ],
    next: &[
        "if your own program still fails, compare what it does: address, port, IPv4 or IPv6, source",
        "check from the machine and the network where the trouble is, with --whoami if a server there can answer",
        "for trouble that comes and goes: echoline check --watch 10s HOST, or --idle 10m for quiet connections",
    ],
};

pub(super) static USAGE: Page = Page {
    code: "usage",
    title: "The command line says something that cannot be done.",
    so: "a word or a number is mistyped, or two of them do not go together",
    meaning: "Nothing was sent to the network: the arguments themselves could not be used. The message quotes what is \
              wrong.",
    causes: &[
        "A word that does not exist, such as a service, a code or a command.",
        "A number outside of what is possible.",
        "A file that is not of the kind that was asked for.",
    ],
    tell: &["The message quotes the part that is wrong, and the lines below it say what would be right."],
    next: &[
        "read what the command takes: echoline COMMAND --help",
        "or its manual page: echoline man COMMAND",
    ],
};

pub(super) static INPUT: Page = Page {
    code: "input",
    title: "Standard input cannot be read.",
    so: "the file or the pipe behind standard input does not give its bytes",
    meaning: "A command that sends its standard input got an error from the system instead of bytes. What had been \
              read before was sent. A standard input that was closed (<&-) is no failure: it counts as /dev/null, on \
              purpose, since a connection that took its number would be read as the input.",
    causes: &[
        "Standard input is a directory: echoline connect HOST < /tmp.",
        "It was opened for writing alone: echoline connect HOST 0> FILE.",
        "A disk or a network file system failed.",
    ],
    tell: &["Read it with another program: cat > /dev/null, with the same redirection."],
    next: &[
        "give standard input a file or a pipe that can be read",
        "look at what the system said, at the end of the message",
    ],
};

pub(super) static OUTPUT: Page = Page {
    code: "output",
    title: "A result cannot be written.",
    so: "the disk is full, or the place cannot be written to",
    meaning: "Data of the command had no place to go: standard output, or a file that was named. A pipe whose reader \
              left is no failure and is not reported. Neither is a standard output that was closed (>&-): it counts \
              as /dev/null, on purpose, since a connection that took its number would get the output. What is \
              written there is gone.",
    causes: &[
        "The disk is full.",
        "The directory does not exist, or this user may not write there.",
        "Standard output was opened for reading alone: echoline ... 1< FILE.",
    ],
    tell: &["Write something else to the same place: echo x > FILE. See the room that is left: df -h ."],
    next: &["give it a place that takes it: a disk with room, a directory of your own"],
};

pub(super) static SERVER: Page = Page {
    code: "server",
    title: "The server could not start, or ended by itself.",
    so: "the system did not give what a server needs, or the server has a defect",
    meaning: "The listeners were there, but the threads that serve them could not start, or one of them ended. \
              Connections that stood are gone.",
    causes: &[
        "The system gave no thread: a limit of processes, or no memory.",
        "A system call failed that must not fail.",
        "A defect of the server, where the message says so.",
    ],
    tell: &[
        "The end of the message is what the system said.",
        "Try fewer threads: echoline serve --threads 1. Try the other engine: --engine portable.",
    ],
    next: &[
        "look at the limits: ulimit -u (threads), ulimit -n (open files), free -m (memory)",
        "if the message speaks of a defect, report it with the message and echoline --version",
    ],
};

pub(super) static ENGINE_UNAVAILABLE: Page = Page {
    code: "engine-unavailable",
    title: "The engine that was asked for does not work here.",
    so: "the kernel lacks io_uring, or something forbids it",
    meaning: "The server moves bytes by one of two engines. uring needs Linux 6.1 or later and the right to use \
              io_uring; portable works everywhere. One that is asked for by name and cannot be had is an error; auto \
              takes the other one instead, and says why.",
    causes: &[
        "A container's seccomp profile denies io_uring (EPERM or ENOSYS): Docker's does by default.",
        "io_uring is switched off: the sysctl kernel.io_uring_disabled is 1 or 2.",
        "The kernel is older than 6.1, or it is not Linux.",
    ],
    tell: &["cat /proc/sys/kernel/io_uring_disabled shows the switch, uname -r the kernel."],
    next: &[
        "take what works here: --engine auto, which is the default",
        "or allow io_uring: sysctl kernel.io_uring_disabled=0; a seccomp profile that lets it through",
    ],
};

pub(super) static UNEXPECTED_REPLY: Page = Page {
    code: "unexpected-reply",
    title: "The other side answered something else than the protocol has.",
    so: "another program has the port, or one that breaks the protocol",
    meaning: "The conversation has a protocol, and what came has no place in it; the message quotes it. echoline play \
              speaks I32CFSP, line by line. echoline check http://HOST sends a HEAD request and expects an answer of \
              HTTP; with https:// it expects that nothing is said first, for in TLS it is the client that begins.",
    causes: &[
        "Another program has the port.",
        "A web server with TLS was asked without it.",
        "A game's server does not know that size of the board, or that name.",
        "The server has a defect, or speaks another version.",
    ],
    tell: &[
        "Talk to a game's server by hand: echoline connect --no-verify HOST 4444, then I32CFSP_HELLO me.",
        "Talk to a web server with a program made for it: curl -I http://HOST.",
        "On the server, see which program has the port: ss -ltnp.",
    ],
    next: &[
        "check the port: a Connect Four server usually listens on 4444, a web server on 80",
        "in the game, try the board of 7x6 and a plain name, which every server knows",
        "see whether it works against our own server: echoline play",
    ],
};
