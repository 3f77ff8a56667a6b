//! What keeps a lab from being built, changed or entered.

use echoline::explain::Page;

pub(super) static TOPOLOGY: Page = Page {
    code: "lab-topology",
    title: "The file of a topology or scenario has a mistake, or cannot be read.",
    so: "nothing was built; the message names the file and the line",
    meaning: "A lab is described in TOML. It is checked as a whole before anything is built.",
    causes: &[
        "A key or a value is mistyped.",
        "An address or a link end belongs to no host.",
        "The file does not exist.",
    ],
    tell: &[
        "The message names the line. A topology that works is the best comparison: echoline lab show home --toml.",
    ],
    next: &[
        "mend that line",
        "list what comes with the program: echoline lab list, echoline lab test --list",
    ],
};

pub(super) static MISSING_TOOL: Page = Page {
    code: "lab-missing-tool",
    title: "A program that the lab runs is not installed.",
    so: "install the package that the message names",
    meaning: "The lab uses the system's own programs to set its network up: ip (iproute2) and nft (nftables).",
    causes: &["The package is not installed.", "It is in a directory that is not searched."],
    tell: &["command -v ip nft shows what is found; /usr/sbin is searched too."],
    next: &["install it: sudo apt-get install iproute2 nftables"],
};

pub(super) static FORBIDDEN: Page = Page {
    code: "lab-forbidden",
    title: "This machine does not let this user make namespaces.",
    so: "a setting of the machine or of a container forbids it; the message names which",
    meaning: "A lab lives in namespaces of the kernel: networks, mounts and processes of its own. Most systems let \
              ordinary users make them inside a user namespace; some forbid that.",
    causes: &[
        "A container's seccomp profile denies unshare: Docker's does by default.",
        "AppArmor allows it to few programs: kernel.apparmor_restrict_unprivileged_userns (Ubuntu 24.04).",
        "A limit is used up or zero: user.max_user_namespaces, user.max_net_namespaces.",
    ],
    tell: &["Try it without us: unshare -Urn true."],
    next: &[
        "follow what the message says, or run the lab as root: sudo echoline lab ...",
        "in Docker: --privileged, or a seccomp profile that allows unshare and mount",
    ],
};

pub(super) static MISUSE: Page = Page {
    code: "lab-misuse",
    title: "The lab was asked for something that it cannot do at this point.",
    so: "a step before it is missing, or the command is of another place",
    meaning: "Some things go only in a certain order, or only inside a lab: a process enters its namespaces before it \
              has threads, and traffic is watched on links that exist.",
    causes: &[
        "In a test: a thread was started before echoline_lab::enter.",
        "A watch needs a lab that runs.",
        "A lab of that name runs already: the message has its process.",
    ],
    tell: &["The message says what is missing."],
    next: &[
        "read how it is used: echoline lab --help",
        "in a test, enter the lab first, in a binary with harness = false",
    ],
};

pub(super) static COMMAND: Page = Page {
    code: "lab-command",
    title: "A command of the system that builds the lab failed.",
    so: "the message has the command and what it printed",
    meaning: "The lab runs ip and nft, and one of them said no. What had been built so far is gone again.",
    causes: &[
        "The kernel lacks a module: veth, bridge, nf_tables, nf_nat.",
        "The kernel or the tool is too old for what the lab asks.",
        "A limit of the kernel is reached.",
    ],
    tell: &["See all commands, and try them by hand: echoline lab run TOPOLOGY HOST --explain -- true."],
    next: &[
        "load what is missing: sudo modprobe veth nf_tables nf_nat",
        "see the kernel's own words: sudo dmesg | tail",
    ],
};

pub(super) static UNKNOWN_NAME: Page = Page {
    code: "lab-unknown-name",
    title: "No host, link or record of this lab has that name.",
    so: "the name is mistyped; the message lists those that exist",
    meaning: "Each topology names its hosts, routers, links and records. A name is one of that topology only.",
    causes: &[
        "The name is mistyped.",
        "It is a name of another topology.",
        "No lab runs, or it has another name.",
    ],
    tell: &["Draw it: echoline lab show TOPOLOGY. The links stand at its end."],
    next: &["use one of the names that the message lists"],
};

pub(super) static BAD_CHANGE: Page = Page {
    code: "lab-bad-change",
    title: "The change of a lab cannot be understood or applied.",
    so: "a word is mistyped, or it does not go with what it is applied to",
    meaning: "A change is a line such as link wan loss=5% or firewall server in drop tcp 5151. Nothing was changed.",
    causes: &["A word or a setting that does not exist.", "A value outside of what is possible."],
    tell: &["The message quotes the word. All changes stand in docs/LAB.md."],
    next: &["see the forms: echoline lab link --help, echoline lab firewall --help"],
};

pub(super) static SERVER: Page = Page {
    code: "lab-server",
    title: "A server of the lab did not start.",
    so: "what it said stands in the message",
    meaning: "A topology can have servers, each an echoline serve on its host. One of them ended before it served.",
    causes: &["Its port is asked for twice on that host.", "Its address does not belong to that host."],
    tell: &["Start it by hand: echoline lab run TOPOLOGY HOST -- echoline serve :5151."],
    next: &["mend the line serve = [...] of that host in the topology"],
};

pub(super) static SYSTEM: Page = Page {
    code: "lab-system",
    title: "A system call of the lab failed.",
    so: "the message says what was tried and what the system said",
    meaning: "Building, entering or ending a lab takes system calls; one of them failed. Nothing of the lab outlives it.",
    causes: &["A limit: open files, processes, memory.", "A temporary directory that cannot be written to."],
    tell: &["The end of the message is what the system said."],
    next: &["look at the limits: ulimit -a", "end other labs: echoline lab down"],
};
