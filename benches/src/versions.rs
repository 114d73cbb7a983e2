//! The versions of the peers, read from the lock file that this program was built with.

use crate::report;

const LOCK: &str = include_str!("../../Cargo.lock");

/// The packages that the tables name.
const PACKAGES: [&str; 12] = [
    "xfetch-core",
    "fibre_cache",
    "quick_cache",
    "moka",
    "cached",
    "foyer-memory",
    "cachet",
    "cacheflight",
    "amalgam-cache",
    "papaya",
    "dashmap",
    "lru",
];

/// The version of a package. If there are several, the newest: the lock file is sorted.
fn version(package: &str) -> Option<&'static str> {
    let name = format!("name = \"{package}\"\nversion = \"");
    let (_, rest) = LOCK.rsplit_once(&name)?;
    rest.split('"').next()
}

pub fn table() -> String {
    let row = |package: &str| {
        vec![format!("`{package}`"), version(package).unwrap_or("unknown").to_owned()]
    };
    report::versions(PACKAGES.map(row).to_vec())
}

#[cfg(test)]
mod tests {
    use super::{PACKAGES, version};

    #[test]
    fn the_lock_file_has_every_package() {
        for package in PACKAGES {
            assert!(version(package).is_some(), "{package}");
        }
    }
}
