//! Servers that we did not write, on hosts of a lab: Debian's dnsmasq as a name server, miniupnpd on the router.
//! The process enters namespaces first, so this binary has no test harness.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use echoline_lab::{Inside, Lab, Options, Topology, enter};
use echoline_testing::{Outcome, run_suite, skip};

type Test = fn(&Lab) -> Outcome;

const TESTS: &[(&str, &str, Test)] = &[
    ("a_host_resolves_names_that_dnsmasq_serves", "dnsmasq", a_host_resolves_names_that_dnsmasq_serves),
    ("miniupnpd_opens_a_port_of_the_router", "miniupnpd", miniupnpd_opens_a_port_of_the_router),
];

/// Nothing here may wait for longer.
const DEADLINE: Duration = Duration::from_secs(20);

fn main() {
    let inside = match enter() {
        Ok(inside) => inside,
        Err(error) => {
            return skip("echoline-lab peers", &format!("{error}; {}", error.remedy().unwrap_or_default()));
        }
    };
    let is_possible = |&&(name, program, _): &&(&str, &str, Test)| {
        let is_possible = is_installed(program);
        if !is_possible {
            skip(name, program);
        }
        is_possible
    };
    let inside = &inside;
    let possible = TESTS.iter().filter(is_possible);
    run_suite(possible.map(|&(name, _, test)| (name, move || in_home(inside, test))))
}

fn in_home(inside: &Inside, test: Test) -> Outcome {
    test(&Lab::build(inside, &Topology::shipped("home")?, Options::default())?)
}

/// Daemons stand in /usr/sbin, which an ordinary user's PATH often lacks.
fn is_installed(program: &str) -> bool {
    ["/usr/sbin", "/usr/bin"].iter().any(|directory| fs::metadata(format!("{directory}/{program}")).is_ok())
}

/// A daemon in the foreground; it ends with the test.
struct Daemon(Child);

impl Daemon {
    /// Starts it and waits until its log, on stderr, says `ready`.
    fn start(
        lab: &Lab,
        host: &str,
        command: &mut Command,
        ready: &str,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let mut daemon = Self(lab.spawn(host, command.stdin(Stdio::null()).stderr(Stdio::piped()))?);
        let mut log = BufReader::new(daemon.0.stderr.take().ok_or("no stderr")?);
        let mut told = String::new();
        // It says so, or it ends and so does its log.
        while log.read_line(&mut told)? > 0 {
            if told.contains(ready) {
                // Read on, so that the daemon never waits for a full pipe or dies of a closed one.
                std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
                return Ok(daemon);
            }
        }
        Err(format!("it ended before it was ready: {told}").into())
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It is ours and not reaped yet, so the number is still its own.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn a_host_resolves_names_that_dnsmasq_serves(lab: &Lab) -> Outcome {
    let mut dnsmasq = Command::new("/usr/sbin/dnsmasq");
    // --no-daemon also keeps its user and groups: a user namespace lets nobody change groups.
    dnsmasq.args(["--no-daemon", "--log-facility=-", "--conf-file=/dev/null", "--pid-file="]);
    dnsmasq.args(["--no-resolv", "--no-hosts", "--bind-interfaces"]);
    dnsmasq.args(["--listen-address=203.0.113.10", "--host-record=echo.peer.test,203.0.113.10,2001:db8::10"]);
    let _dnsmasq = Daemon::start(lab, "server", &mut dnsmasq, "started")?;
    let ask = |name: &str| -> Result<String, Box<dyn std::error::Error>> {
        let mut command = Command::new("sh");
        // The laptop is told to ask dnsmasq in place of the lab's own name server.
        let script = "echo nameserver 203.0.113.10 > /etc/resolv.conf && exec getent ahosts \"$0\"";
        let asked = lab.spawn("laptop", command.args(["-c", script, name]).stdout(Stdio::piped()))?;
        Ok(String::from_utf8(asked.wait_with_output()?.stdout)?)
    };
    let answer = ask("echo.peer.test")?;
    assert!(answer.contains("203.0.113.10") && answer.contains("2001:db8::10"), "{answer}");
    assert_eq!(ask("nobody.peer.test")?, "");
    Ok(())
}

/// The tables that miniupnpd's nftables back-end expects to find, with its chains jumped to.
const MINIUPNPD_TABLES: &str = "table inet upnp {
  chain miniupnpd { }
  chain prerouting_miniupnpd { }
  chain postrouting_miniupnpd { }
  chain forward { type filter hook forward priority filter - 1; jump miniupnpd; }
  chain prerouting { type nat hook prerouting priority dstnat; jump prerouting_miniupnpd; }
  chain postrouting { type nat hook postrouting priority srcnat; jump postrouting_miniupnpd; }
}
";

/// It refuses to map on documentation addresses, which the lab's internet has; `ext_ip` tells it another.
const MINIUPNPD_CONF: &str = "ext_ifname=wan
ext_ip=8.8.8.8
listening_ip=lan
enable_upnp=no
enable_natpmp=yes
upnp_table_name=upnp
upnp_nat_table_name=upnp
upnp_forward_chain=miniupnpd
upnp_nat_chain=prerouting_miniupnpd
upnp_nat_postrouting_chain=postrouting_miniupnpd
uuid=00000000-0000-0000-0000-000000000001
allow 1024-65535 192.168.1.0/24 1024-65535
deny 0-65535 0.0.0.0/0 0-65535
";

fn miniupnpd_opens_a_port_of_the_router(lab: &Lab) -> Outcome {
    // /run is this lab's own.
    let conf = "/run/miniupnpd.conf";
    fs::write(conf, MINIUPNPD_CONF)?;
    let mut nft = Command::new("nft");
    let mut loading = lab.spawn("router", nft.args(["-f", "-"]).stdin(Stdio::piped()))?;
    loading.stdin.take().ok_or("no stdin")?.write_all(MINIUPNPD_TABLES.as_bytes())?;
    assert!(loading.wait()?.success());
    let listener = lab.on("laptop", || TcpListener::bind("192.168.1.10:0"))??;
    let inner = listener.local_addr()?.port();
    let before = lab.on("server", || TcpStream::connect_timeout(&outside(6151), Duration::from_secs(1)))?;
    assert!(before.is_err(), "the port is open already");

    let mut miniupnpd = Command::new("/usr/sbin/miniupnpd");
    miniupnpd.args(["-d", "-f", conf, "-P", "/run/miniupnpd.pid"]);
    let _miniupnpd = Daemon::start(lab, "router", &mut miniupnpd, "Listening for NAT-PMP")?;
    assert_eq!(map_tcp(lab, inner, 6151)?, 6151);

    let mut server = lab.on("server", || TcpStream::connect_timeout(&outside(6151), DEADLINE))??;
    let (mut laptop, peer) = listener.accept()?;
    assert_eq!(peer, server.local_addr()?);
    server.write_all(b"hello\n")?;
    let mut got = [0; 6];
    laptop.read_exact(&mut got)?;
    assert_eq!(&got, b"hello\n");
    Ok(())
}

fn outside(port: u16) -> std::net::SocketAddr {
    (std::net::Ipv4Addr::new(203, 0, 113, 2), port).into()
}

/// Asks the router by NAT-PMP (RFC 6886 section 3.3) for a way from its `outer` port to the laptop's `inner` one.
/// Returns the outer port that it gave.
fn map_tcp(lab: &Lab, inner: u16, outer: u16) -> Result<u16, Box<dyn std::error::Error>> {
    let socket = lab.on("laptop", || UdpSocket::bind("192.168.1.10:0"))??;
    socket.set_read_timeout(Some(DEADLINE))?;
    let mut request = vec![0, 2, 0, 0];
    request.extend(inner.to_be_bytes());
    request.extend(outer.to_be_bytes());
    request.extend(60u32.to_be_bytes());
    socket.send_to(&request, "192.168.1.1:5351")?;
    let mut reply = [0; 16];
    assert_eq!(socket.recv(&mut reply)?, 16);
    assert_eq!(reply[..4], [0, 130, 0, 0], "the router refuses: {reply:?}");
    Ok(u16::from_be_bytes([reply[10], reply[11]]))
}
