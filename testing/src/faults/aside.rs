//! A second network beside the one of the attacks, with a cable between: peers there can vanish without a word.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, anyhow, ensure};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use xtask_tools::run;

use super::attack::{PATIENCE, wait_until};
use super::bench::Bench;
use super::here;

/// A network that some process is in.
pub(crate) struct Network {
    pid: u32,
}

pub(crate) struct Aside {
    /// Holds the other network for as long as it runs.
    holder: Child,
    pub(crate) network: Network,
}

impl Network {
    pub(crate) fn of(pid: u32) -> Self {
        Self { pid }
    }

    fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.pid)
    }

    /// The words that start a command there.
    pub(crate) fn words(&self) -> Vec<String> {
        vec!["nsenter".to_owned(), format!("--net={}", self.path()), "--".to_owned()]
    }

    pub(crate) fn run(&self, words: &[&str]) -> Result<String> {
        let before = self.words();
        run::captured(Command::new(&before[0]).args(&before[1..]).args(words))
    }

    /// Does something there. Its sockets stay there.
    pub(crate) fn on<T: Send + 'static>(
        &self,
        body: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let network = File::open(self.path()).context("the other network is gone")?;
        let inside = move || {
            move_into_link_name_space(network.as_fd(), Some(LinkNameSpaceType::Network))
                .context("cannot enter the other network")?;
            body()
        };
        std::thread::spawn(inside).join().map_err(|_| anyhow!("a thread in the other network panicked"))?
    }
}

impl Aside {
    /// Our end of the cable.
    pub(crate) const OURS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
    pub(crate) const THEIRS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);

    pub(crate) fn new(bench: &Bench) -> Result<Self> {
        Self::with_mtu(bench, 1500)
    }

    pub(crate) fn with_mtu(bench: &Bench, mtu: u32) -> Result<Self> {
        bench.must_be_aside()?;
        here::nftables()?;
        here::cables()?;
        let mut command = Command::new("unshare");
        command.args(["--net", "--", "sleep", "3600"]).stdin(Stdio::null());
        let holder = command.spawn().context("cannot start `unshare`")?;
        let network = Network::of(holder.id());
        let aside = Self { holder, network };
        let is_apart =
            || Ok(std::fs::read_link(aside.network.path())? != std::fs::read_link("/proc/self/ns/net")?);
        ensure!(wait_until(PATIENCE, is_apart)?, "`unshare` made no network");
        let pid = aside.holder.id().to_string();
        let mtu = mtu.to_string();
        // A link of an earlier row vanishes a moment after its network.
        let added = wait_until(PATIENCE, || {
            let words = [
                "link", "add", "cable", "mtu", &mtu, "type", "veth", "peer", "name", "cable", "mtu", &mtu,
                "netns", &pid,
            ];
            Ok(run::captured(Command::new("ip").args(words)).is_ok())
        })?;
        ensure!(added, "`ip link add cable` failed");
        run::captured(Command::new("ip").args([
            "addr",
            "add",
            &format!("{}/16", Self::OURS),
            "dev",
            "cable",
        ]))?;
        run::captured(Command::new("ip").args(["link", "set", "cable", "up"]))?;
        aside.network.run(&["ip", "addr", "add", &format!("{}/16", Self::THEIRS), "dev", "cable"])?;
        aside.network.run(&["ip", "link", "set", "cable", "up"])?;
        aside.network.on(|| {
            here::plain_tcp();
            Ok(())
        })?;
        Ok(aside)
    }

    /// From here on nothing passes, and nobody is told.
    pub(crate) fn cut(&self) -> Result<()> {
        self.cut_inward()?;
        self.network
            .run(&["nft", "add chain inet cut outward { type filter hook output priority 0; policy drop; }"])
            .map(drop)
    }

    /// From here on nothing reaches the other network, while it still sends.
    pub(crate) fn cut_inward(&self) -> Result<()> {
        self.network.run(&["nft", "add table inet cut"])?;
        self.network
            .run(&["nft", "add chain inet cut inward { type filter hook input priority 0; policy drop; }"])
            .map(drop)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
        let _ = run::captured(Command::new("ip").args(["link", "del", "cable"]));
    }
}
