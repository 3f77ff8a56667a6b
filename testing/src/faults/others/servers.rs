//! How each of the other servers is started: as its Debian package has it, but for what is said here.

use std::fmt::Write;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};
use xtask_tools::debian::{self, Package};

use super::wish::PROBES;
use super::{Against, Other, Start, TABLE};
use crate::programs;

const MODULE: &str = "/usr/lib/nginx/modules/ngx_stream_module.so";

pub(crate) static OTHERS: [Other; 5] = [
    Other {
        name: "socat",
        which: Against::Socat,
        process: "socat",
        packages: &[Package { name: "socat", program: "socat", needed_by: "socat as a relay" }],
        relays: true,
        command: socat,
        version: &["socat", "-V"],
        unfit: |_| None,
    },
    Other {
        name: "haproxy",
        which: Against::Haproxy,
        process: "haproxy",
        packages: &[Package { name: "haproxy", program: "haproxy", needed_by: "HAProxy as a relay" }],
        relays: true,
        command: haproxy,
        version: &["haproxy", "-v"],
        unfit: |_| None,
    },
    Other {
        name: "nginx",
        which: Against::Nginx,
        process: "nginx",
        packages: &[
            Package { name: "nginx", program: "nginx", needed_by: "nginx as a relay" },
            Package { name: "libnginx-mod-stream", program: MODULE, needed_by: "nginx as a relay" },
        ],
        relays: true,
        command: nginx,
        version: &["nginx", "-v"],
        unfit: |_| None,
    },
    Other {
        name: "tokio-bytes",
        which: Against::TokioBytes,
        process: "tokio-bytes",
        packages: &[],
        relays: false,
        command: |start| Ok(on_tokio("tokio-bytes", start)),
        version: &[],
        unfit: of_tokio,
    },
    Other {
        name: "tokio-lines",
        which: Against::TokioLines,
        process: "tokio-lines",
        packages: &[],
        relays: false,
        command: |start| Ok(on_tokio("tokio-lines", start)),
        version: &[],
        unfit: of_tokio,
    },
];

fn of_tokio(row: u8) -> Option<&'static str> {
    match row {
        35 => Some("it writes no log"),
        49 => Some("it has no deadlines"),
        _ => None,
    }
}

fn program(name: &str) -> Command {
    Command::new(debian::find(name).unwrap_or_else(|| name.into()))
}

fn on_tokio(name: &str, start: &Start<'_>) -> Command {
    let mut command = Command::new(programs::peers().join(name));
    command.arg(start.listen.to_string());
    command
}

/// A process a connection. A queue of 4096 as the others have about: with its own of 5 it is attackers that wait.
fn socat(start: &Start<'_>) -> Result<Command> {
    let Start { wish, listen, echo, .. } = start;
    let mut listener =
        format!("TCP4-LISTEN:{},bind={},reuseaddr,fork,backlog=4096,nodelay", listen.port(), listen.ip());
    if let Some(time) = wish.keepalive {
        let seconds = time.as_secs();
        write!(listener, ",keepalive,keepidle={seconds},keepintvl={seconds},keepcnt={PROBES}")?;
    }
    if let Some(time) = wish.user_timeout {
        // IPPROTO_TCP and TCP_USER_TIMEOUT by their numbers: it has no word for it.
        write!(listener, ",setsockopt-int=6:18:{}", time.as_millis())?;
    }
    if let Some(count) = wish.connections {
        write!(listener, ",max-children={count}")?;
    }
    let mut command = program("socat");
    if let Some(time) = wish.deadline {
        command.args(["-T", &time.as_secs().to_string()]);
    }
    if wish.verbose {
        command.args(["-d", "-d"]);
    }
    command.args([&listener, &format!("TCP4:{echo},nodelay")]);
    Ok(command)
}

/// Debian's timeouts; in the foreground, with neither chroot nor users of its own.
fn haproxy(start: &Start<'_>) -> Result<Command> {
    let Start { wish, listen, echo, .. } = start;
    let deadline = wish.deadline.unwrap_or(Duration::from_secs(50)).as_secs();
    let mut config = String::from("global\n");
    if wish.verbose {
        config.push_str("  log stderr format raw local0\n");
    }
    write!(
        config,
        "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client {deadline}s\n  timeout server {deadline}s\n"
    )?;
    if wish.verbose {
        config.push_str("  log global\n  option tcplog\n");
    }
    if let Some(time) = wish.keepalive {
        let seconds = time.as_secs();
        write!(
            config,
            "  option clitcpka\n  clitcpka-idle {seconds}s\n  clitcpka-intvl {seconds}s\n  clitcpka-cnt {PROBES}\n"
        )?;
    }
    let timeout = wish.user_timeout.map_or(String::new(), |time| format!(" tcp-ut {}s", time.as_secs()));
    write!(config, "frontend echo\n  bind {listen}{timeout}\n")?;
    if let Some(count) = wish.relayed() {
        writeln!(config, "  maxconn {count}")?;
    }
    if let Some(count) = wish.per_source {
        config.push_str("  stick-table type ip size 100k expire 10m store conn_cur\n");
        config.push_str("  tcp-request connection track-sc0 src\n");
        writeln!(config, "  tcp-request connection reject if {{ sc0_conn_cur gt {count} }}")?;
    }
    write!(config, "  default_backend echo\nbackend echo\n  server echo {echo}\n")?;
    write_file(start, &config)?;
    let mut command = program("haproxy");
    // Debug and quiet: one process that stays in the foreground.
    command.arg("-db").arg("-f").arg(&start.file);
    Ok(command)
}

/// Debian's 768 places, one worker for one core, and each half of a connection closed by itself, as an echo needs.
fn nginx(start: &Start<'_>) -> Result<Command> {
    let Start { wish, listen, echo, scratch, .. } = start;
    let connections = wish.relayed();
    // Two for each connection, and some that nginx needs itself.
    let places = connections.map_or(768, |count| 2 * count + 64);
    let level = if wish.verbose { "info" } else { "error" };
    let mut config = format!(
        "load_module {MODULE};\nuser root root;\ndaemon off;\nworker_processes 1;\npid {};\nerror_log stderr {level};\n\
         events {{ worker_connections {places}; }}\nstream {{\n",
        scratch.join(format!("nginx-{}.pid", listen.port())).display()
    );
    if let Some(count) = connections {
        write!(config, "  limit_conn_zone $server_port zone=all:1m;\n  limit_conn all {count};\n")?;
    }
    if let Some(count) = wish.per_source {
        write!(
            config,
            "  limit_conn_zone $binary_remote_addr zone=sources:{TABLE};\n  limit_conn sources {count};\n"
        )?;
    }
    if let Some(time) = wish.deadline {
        writeln!(config, "  proxy_timeout {}s;", time.as_secs())?;
    }
    let keepalive = wish.keepalive.map_or(String::new(), |time| {
        let seconds = time.as_secs();
        format!(" so_keepalive={seconds}s:{seconds}s:{PROBES}")
    });
    write!(
        config,
        "  proxy_half_close on;\n  server {{ listen {listen}{keepalive}; proxy_pass {echo}; }}\n}}\n"
    )?;
    write_file(start, &config)?;
    let mut command = program("nginx");
    command.arg("-e").arg("stderr").arg("-p").arg(scratch).arg("-c").arg(&start.file);
    Ok(command)
}

fn write_file(start: &Start<'_>, text: &str) -> Result<()> {
    std::fs::write(&start.file, text).with_context(|| format!("cannot write {}", start.file.display()))
}

#[cfg(test)]
mod tests {
    use super::super::wish::Wish;
    use super::*;

    /// Everything that another server is told: its words, then its file.
    fn told(name: &str, flags: &[&str]) -> String {
        let scratch = tempfile::tempdir().expect("a directory");
        let other = OTHERS.iter().find(|other| other.name == name).expect("one of them");
        let address = |port| std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let start = Start {
            wish: Wish::of(flags, &[]).expect("known flags"),
            listen: address(1),
            echo: address(2),
            file: scratch.path().join("conf"),
            scratch: scratch.path(),
        };
        let command = (other.command)(&start).expect("a command");
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        format!("{}\n{}", words.join(" "), std::fs::read_to_string(&start.file).unwrap_or_default())
    }

    #[test]
    fn what_a_row_asks_of_ours_is_asked_of_every_relay_in_its_own_words() {
        let flags = ["--min-progress", "1KiB/3s", "--keepalive", "2s", "--max-connections", "7"];
        for (name, wanted) in [
            ("socat", &["-T 3", "keepidle=2", "max-children=7", "TCP4:127.0.0.1:2"][..]),
            ("haproxy", &["timeout client 3s", "clitcpka-idle 2s", "maxconn 7", "server echo 127.0.0.1:2"]),
            (
                "nginx",
                &["proxy_timeout 3s", "so_keepalive=2s:2s:4", "limit_conn all 7", "proxy_pass 127.0.0.1:2"],
            ),
        ] {
            let told = told(name, &flags);
            for wanted in wanted {
                assert!(told.contains(wanted), "{name} is not told {wanted}: {told}");
            }
        }
    }

    #[test]
    fn what_no_row_asks_stays_as_the_package_has_it() {
        assert!(!told("socat", &[]).contains("-T"));
        assert!(
            told("haproxy", &[]).contains("timeout client 50s") && !told("haproxy", &[]).contains("maxconn")
        );
        assert!(
            told("nginx", &[]).contains("worker_connections 768")
                && !told("nginx", &[]).contains("limit_conn")
        );
    }
}
