//! Why a measurement may not mean what it seems to.

use echoline::explain::Page;

pub(super) static GENERATOR_BOUND: Page = Page {
    code: "generator-bound",
    title: "The load generator itself was at its limit.",
    so: "the server may be able to do more than the figures say",
    meaning: "A thread of the generator used nearly all of its processor core. The rate it reached is then the \
              generator's own, and its times include its own queue.",
    causes: &[
        "The server is faster than one thread of the generator.",
        "Too many connections for each thread.",
    ],
    tell: &["Run it again with more --threads: if the rate grows, the generator was the limit."],
    next: &[
        "use more --threads, or a second machine, and add the reports: echoline bench merge",
        "or ask for a fixed rate below that limit: --rate",
    ],
};

pub(super) static GENERATOR_CROWDED: Page = Page {
    code: "generator-crowded",
    title: "The generator was ready and had no processor.",
    so: "other work of this machine is in the figures",
    meaning: "The kernel counts how long a thread waits for a processor though it could run. That was a good part of \
              the time, so what was measured is also the machine's other work.",
    causes: &[
        "Other programs run on this machine, or the server itself does.",
        "The machine is a virtual one, and its host is busy.",
        "More --threads than processors.",
    ],
    tell: &["Look at what runs: top. In a virtual machine, the column st is time that the host took."],
    next: &[
        "close other programs, or use fewer --threads",
        "run the server on another machine, or on other cores: taskset",
    ],
};

pub(super) static GENERATOR_LATE: Page = Page {
    code: "generator-late",
    title: "The generator sent later than it meant to.",
    so: "response times include that delay; service times do not",
    meaning: "With --rate each line has a moment at which it is due. Some left later, by the generator's fault and not \
              the server's. Response times count from the moment when a line was due.",
    causes: &[
        "The rate is too high for the generator, or the machine is busy.",
        "The machine was suspended, or a virtual one was stopped for a moment.",
    ],
    tell: &["Compare response and service times: what the two differ by is waiting before the send."],
    next: &["use more --threads, or a lower --rate", "measure on a quiet machine, and several times"],
};

pub(super) static FEW_SAMPLES: Page = Page {
    code: "few-samples",
    title: "There are too few lines for the high percentiles.",
    so: "the percentile that is named, and those above it, are luck",
    meaning: "A percentile means something when at least ten samples lie beyond it: p99 needs 1,000 lines, p99.9 \
              needs 10,000.",
    causes: &["A short run.", "A slow server, or a low --rate."],
    tell: &["The message says how many lines that percentile needs."],
    next: &["measure for longer: --duration 1m", "or look at lower percentiles only"],
};

pub(super) static STARVED: Page = Page {
    code: "starved",
    title: "One connection got far fewer answers than the others.",
    so: "the server, or the way there, serves connections unequally",
    meaning: "The connections all asked alike, but the one with the fewest answers got less than a tenth of the median. \
              Means over all connections hide that.",
    causes: &[
        "The server serves busy connections first, or one thread of it is overloaded.",
        "A load balancer sends some connections to a slower machine.",
        "Packets of that connection were lost.",
    ],
    tell: &[
        "Repeat it: if it is always one of them, it is the dealing of connections; if another each time, loss.",
    ],
    next: &[
        "look at the server's threads: top -H",
        "count the instances behind the address: echoline check --backends",
    ],
};

pub(super) static UNSENT: Page = Page {
    code: "unsent",
    title: "Lines were due and never left.",
    so: "the server did not keep up, and the percentiles look better than it was",
    meaning: "With --rate lines are due at fixed times, whether the server answers or not. At the end of the run some \
              were still waiting for their turn: their waiting has no end and is in no percentile.",
    causes: &[
        "The rate is above what the server can do.",
        "Connections ended early, and their lines went nowhere.",
    ],
    tell: &["Find the highest rate that is kept: --find-capacity."],
    next: &["lower the --rate", "use more --connections or --depth, if the way is long"],
};

pub(super) static CLOCK_STEP: Page = Page {
    code: "clock-step",
    title: "The machine's clock was set during the run.",
    so: "the measured times are right; the times of day in the report are not",
    meaning: "All intervals are taken from a clock that only goes forward, so that a clock that is set (NTP, a person, \
              a resumed virtual machine) does not change them. It is said because a machine on which that happens may \
              also have been stopped.",
    causes: &["NTP corrected the clock.", "A virtual machine was suspended and resumed."],
    tell: &["journalctl -u systemd-timesyncd, or chronyc tracking, shows what set it."],
    next: &["measure again, to see whether the result holds"],
};
