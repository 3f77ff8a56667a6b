//! How much memory this process may have, where a control group or a resource limit says so.

use std::fs::read_to_string;
use std::path::Path;

use rustix::process::{Resource, getrlimit};

/// The lowest limit in bytes, if there is one.
pub(super) fn limit() -> Option<u64> {
    let groups = read_to_string("/proc/self/cgroup").unwrap_or_default();
    let address_space = getrlimit(Resource::As).current;
    let of_groups = of_groups(Path::new("/sys/fs/cgroup"), &groups, |file| read_to_string(file).ok());
    [of_groups, address_space].into_iter().flatten().min()
}

/// Of the groups in `/proc/self/cgroup` and their parents (cgroups(7)): `0::/path` is version 2, `7:memory:/path` the
/// memory controller of version 1. A file without a number says that there is no limit.
pub(super) fn of_groups(mounted: &Path, groups: &str, read: impl Fn(&Path) -> Option<String>) -> Option<u64> {
    groups
        .lines()
        .filter_map(|group| {
            let mut fields = group.splitn(3, ':').skip(1);
            let (controllers, path) = (fields.next()?, fields.next()?);
            let (base, file) = match controllers {
                "" => (mounted.to_owned(), "memory.max"),
                "memory" => (mounted.join("memory"), "memory.limit_in_bytes"),
                _ => return None,
            };
            let group = base.join(path.trim_start_matches('/'));
            let here_and_above = group.ancestors().take_while(|directory| directory.starts_with(&base));
            here_and_above
                .filter_map(|directory| read(&directory.join(file))?.trim().parse::<u64>().ok())
                .min()
        })
        .min()
}

#[cfg(test)]
mod tests {
    use std::fs::{create_dir_all, write};

    use super::*;

    #[test]
    fn the_lowest_limit_of_a_group_and_its_parents_counts_in_both_versions() {
        let mounted = tempfile::tempdir().unwrap();
        let root = mounted.path();
        let of_groups = |groups| of_groups(root, groups, |file| read_to_string(file).ok());
        create_dir_all(root.join("outer/inner")).unwrap();
        create_dir_all(root.join("memory/box")).unwrap();
        write(root.join("outer/memory.max"), "1000\n").unwrap();
        write(root.join("outer/inner/memory.max"), "max\n").unwrap();
        write(root.join("memory/box/memory.limit_in_bytes"), "700\n").unwrap();
        write(root.join("memory/memory.limit_in_bytes"), "9223372036854771712\n").unwrap();
        assert_eq!(of_groups("0::/outer/inner\n"), Some(1000));
        assert_eq!(of_groups("0::/outer/inner\n7:memory:/box\n"), Some(700));
        assert_eq!(of_groups("7:cpu:/box\n0::/\n"), None);
        assert_eq!(of_groups("no group\n"), None);
    }
}
