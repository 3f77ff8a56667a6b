//! Once the connection stands.

use super::Page;
use crate::code::Code;

pub(super) static RESET: Page = Page {
    code: Code::Reset.as_str(),
    title: "The other side, or something between, broke the connection off.",
    so: "the other program ended or gave up without finishing; what was on the way is lost",
    meaning: "A connection ends in order when each side finishes (FIN): all that was sent arrives. A reset (RST) ends \
              it at once, and what is under way in either direction may be lost. The connection did stand, so name, \
              route, port and firewall are fine.",
    causes: &[
        "The other program crashed, was ended, or closed the connection with data unread.",
        "The server has as many connections as it allows, and turned this one away.",
        "A firewall, a load balancer or a router forgot the connection after a long silence.",
        "The machine at the other end was restarted.",
    ],
    tell: &[
        "At once after connecting: the server turns clients away; its log or its limits say why.",
        "After a pause of minutes: something between forgets quiet connections. Send something more often, or use \
         keepalive.",
        "Always at the same point of the conversation: the other program does not like what it got there.",
    ],
    next: &[
        "look at the log of the other program, at this very moment",
        "if it happens after a silence, switch keepalive on",
        "try again: if it works, it was an accident of the other program",
    ],
};

pub(super) static TIMED_OUT: Page = Page {
    code: Code::TimedOut.as_str(),
    title: "An established connection stayed silent longer than allowed.",
    so: "the other side is stuck, slow, or gone without a word",
    meaning: "The connection stands on this side, but nothing moved on it in the time allowed: no bytes came, or the \
              other side did not take what was sent. TCP alone does not notice a peer that lost its power or its \
              network: silence looks the same.",
    causes: &[
        "The other program waits too: for the rest of a line, or for an end of input.",
        "The other program is stuck, or very busy.",
        "The other machine, or the network between, is gone.",
        "The other side reads nothing, so that its buffers are full.",
    ],
    tell: &[
        "Open a second connection. If it works, the machine and the network are fine, and the first conversation is \
         stuck.",
        "Show unacknowledged bytes: ss -ti. Send-Q above 0 while the retransmission timer runs: the network. Send-Q \
         full without one: the other side does not read.",
    ],
    next: &[
        "check that both sides agree who speaks next, and how a message ends",
        "open a second connection to see whether the other side still answers",
        "allow a longer time, if the answer is only slow",
    ],
};

pub(super) static CLOSED_EARLY: Page = Page {
    code: Code::ClosedEarly.as_str(),
    title: "The other side finished before everything expected had come.",
    so: "the other program ended the conversation in order, but too soon",
    meaning: "The other side finished its output (FIN), in order, while bytes were still expected: an echo that did \
              not come back, or the rest of a line.",
    causes: &[
        "The server is no echo server: it answered in its own way and left.",
        "The server ends a conversation after an idle time, a size, or a number of lines.",
        "The server ends the conversation when it gets the end of input, without sending the rest (no half-close).",
        "The server was stopped while it served.",
    ],
    tell: &[
        "Look at what did come back: another protocol's greeting shows which service it is.",
        "Keep the output open and type by hand. If all comes back then, the server does not do half-close.",
    ],
    next: &[
        "check that an echo service listens on this port, and not something else",
        "wait for the responses before the end of input, if the server does not do half-close",
    ],
};

pub(super) static ALTERED: Page = Page {
    code: Code::Altered.as_str(),
    title: "What came back is not what was sent.",
    so: "the service is no echo, or something between changes the bytes",
    meaning: "An echo returns the same bytes in the same order. TCP itself neither changes nor reorders them, so a \
              program did: the one at the other end, or one in between.",
    causes: &[
        "The service is no echo service, or it converts: CR LF to LF, upper case, another character set.",
        "A proxy or a load balancer between speaks a protocol of its own.",
        "The service treats a line that came in pieces wrongly, or loses one when many are in flight.",
    ],
    tell: &[
        "The message names the first line and byte that differ. A CR (0x0d) there points at a conversion of line \
         ends; a ? or 0xef 0xbf 0xbd at one of text.",
        "Send one short line of letters. If that comes back, only some bytes or sizes are changed.",
        "Connect to the server from its own machine. If that works, something between changes the bytes.",
    ],
    next: &[
        "check that an echo service listens there; for others, switch the comparison off",
        "repeat with one short line, then with longer ones, to see what is changed",
    ],
};

pub(super) static ADDED: Page = Page {
    code: Code::Added.as_str(),
    title: "More came back than was sent.",
    so: "the service says something of its own, or something between puts bytes in",
    meaning: "All that was compared came back as it was sent, but with bytes that nobody sent before, between or behind \
              it. An echo says nothing of its own.",
    causes: &[
        "The service greets, prompts, or takes its leave: it is made for people, or it is no echo service.",
        "A proxy or a load balancer adds a header, or an error page of its own.",
        "The service repeats a line, or answers with one of another conversation.",
    ],
    tell: &[
        "The message shows the first of them: a greeting or another protocol is easily known.",
        "Connect to the server from its own machine. If nothing is added then, something between adds it.",
    ],
    next: &[
        "check that an echo service listens there; for others, switch the comparison off",
        "look at what was added: its words often name the program",
    ],
};

pub(super) static ENDLESS: Page = Page {
    code: Code::Endless.as_str(),
    title: "More came back than was sent, and it does not end.",
    so: "the service sends without being asked; the rest was not waited for",
    meaning: "Behind the last byte that was sent, so many more came at once that waiting for the end would be waiting \
              for ever. They were counted, not kept: a server cannot fill this machine's memory.",
    causes: &[
        "The service is a source of bytes: chargen (RFC 864), a stream of sound or pictures, a file.",
        "The service has a defect, and sends the same buffer again and again.",
        "The other side wants to do harm.",
    ],
    tell: &["Look at the first hundred bytes: a pattern, text or a file's beginning shows what it is."],
    next: &[
        "check that an echo service listens there, and that it is not stuck",
        "look at what it sends: nc HOST PORT | head -c 1000",
    ],
};

pub(super) static NO_REPLY: Page = Page {
    code: Code::NoReply.as_str(),
    title: "The connection stands, but nothing came back on it.",
    so: "the service is no echo, or waits for something else",
    meaning: "The other machine accepted the connection and took the bytes, but sent none in the time allowed. A \
              system accepts connections for a program that is stuck, so this says only that its port is open.",
    causes: &[
        "The service is no echo service: it waits for a request of its own protocol.",
        "The service waits for a line end that it did not get: some want CR LF.",
        "The program is stopped or stuck, and the system accepted in its place.",
        "A proxy accepted, and cannot reach the server behind it.",
    ],
    tell: &[
        "Send a line that ends with CR LF.",
        "On the server, see whether the bytes wait unread: ss -tn. Recv-Q above 0 means that the program does not \
         read.",
    ],
    next: &[
        "check that an echo service listens there, and that it is not stopped",
        "send lines that end with CR LF, if the service wants them",
        "wait longer, if the way there is slow",
    ],
};

pub(super) static NOT_UTF8: Page = Page {
    code: Code::NotUtf8.as_str(),
    title: "The received line is no UTF-8 text.",
    so: "the other side sends another character set, or no text at all",
    meaning: "A line was asked for as text, and its bytes are no UTF-8. The message says at which byte of the line, \
              counted from 0. Nothing was converted or lost: read bytes instead of text to get the line as it is.",
    causes: &[
        "The other side sends another character set, such as Latin-1.",
        "The other side sends binary data: TLS, a compressed file, a picture.",
        "A character of several bytes was cut in two, because it was sent as two lines.",
    ],
    tell: &[
        "A first byte of 0x16 or 0x15 is TLS; 0x1f 0x8b is gzip.",
        "A single byte from 0xc0 to 0xff among letters is Latin-1.",
    ],
    next: &["read bytes instead of text, and look at them", "let the other side send UTF-8"],
};

pub(super) static LINE_TOO_LONG: Page = Page {
    code: Code::LineTooLong.as_str(),
    title: "The received line is longer than the limit.",
    so: "the other side sends no line ends, or lines longer than was agreed",
    meaning: "A line ends with LF. So many bytes came without one that the limit was reached; without a limit, a peer \
              could fill the memory of this machine.",
    causes: &[
        "The other side does not speak in lines: it sends binary data, or ends lines with CR alone.",
        "The lines are honest, but longer than the limit.",
        "The other side wants to do harm.",
    ],
    tell: &["Read bytes instead of lines, and look at the first hundred."],
    next: &[
        "raise the limit, if the lines are honest",
        "read bytes instead of lines, if the other side does not speak in lines",
    ],
};
