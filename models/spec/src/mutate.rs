//! Mutations of the table, each one mistake in the text of one step or two. A proof that no mutation breaks proves
//! nothing.

use crate::lang::Error;
use crate::table::{INVARIANT, System, TABLE};

/// A change of the text. It has to find its words once, in the lines of this step, or in the whole text.
#[derive(Clone, Copy, Debug)]
pub struct Edit {
    /// The step, if there is one.
    pub step: Option<&'static str>,
    /// The words.
    pub old: &'static str,
    /// What they become.
    pub new: &'static str,
}

/// A mutation.
#[derive(Clone, Copy, Debug)]
pub struct Mutation {
    /// Its name: that of the suite's twin, where there is one.
    pub name: &'static str,
    /// The mistake.
    pub what: &'static str,
    /// The property that it is made to break; nothing if a lease is held by nobody.
    pub breaks: Option<&'static str>,
    /// The changes.
    pub edits: &'static [Edit],
}

const fn at(step: &'static str, old: &'static str, new: &'static str) -> Edit {
    Edit { step: Some(step), old, new }
}

/// All mutations.
pub const ALL: &[Mutation] = &[
    Mutation {
        name: "release-before-publish",
        what: "The lease is released before the value is in the map.",
        breaks: Some("one-compute-per-window"),
        edits: &[
            at("return", "at:=makes,", "at:=releases, outcome:=value,"),
            at(
                "release-current",
                "set at:=again",
                "set at:=makes if outcome=value, lease:=none if outcome=value, at:=again",
            ),
            at("publish", "at:=releases, outcome:=value, began:=nothing", "at:=idle"),
        ],
    },
    Mutation {
        name: "lock-only",
        what: "There is no re-check under the lease.",
        breaks: Some("no-wasted-compute"),
        edits: &[at(
            "inside",
            "at:=checks, seen:=current if entry!=absent",
            "at:=computes, broken:=wasted if entry=fresh and nominated=no",
        )],
    },
    Mutation {
        name: "captured-recheck",
        what: "The re-check under the lease judges what the look found, which needed a compute.",
        breaks: Some("no-wasted-compute"),
        edits: &[
            at("skip-inside", "is-fresh and not named", "is-fresh and not is-fresh"),
            at("start", "and not (is-fresh and not named)", "and at=checks"),
        ],
    },
    Mutation {
        name: "unfenced-publish",
        what: "A value is published although the key was written since its compute began.",
        breaks: Some("invalidation-wins"),
        edits: &[at("publish", "at=makes and not fenced", "at=makes")],
    },
    Mutation {
        name: "revoke-all",
        what: "A write revokes the current lease however many revoked computes are in flight.",
        breaks: Some("one-in-flight"),
        edits: &[Edit {
            step: None,
            old: "let revocable = cur=computing and revoked=none",
            new: "let revocable = cur=computing",
        }],
    },
    Mutation {
        name: "begin-unasked",
        what: "A refresh whose lease was taken over computes all the same.",
        breaks: Some("one-compute-per-window"),
        edits: &[at("begin", "at=queued and lease=current", "at=queued")],
    },
    Mutation {
        name: "take-over-all",
        what: "A miss takes over a lease under which a compute runs.",
        breaks: Some("one-in-flight"),
        edits: &[at("take-over", "cur=queued", "cur!=free")],
    },
    Mutation {
        name: "no-lock",
        what: "The lease excludes no request.",
        breaks: Some("one-lease-per-key"),
        edits: &[at("lease-to-compute", "cur=free and failure=none,ended", "failure=none,ended")],
    },
    Mutation {
        name: "release-on-queue",
        what: "The lease is free as soon as the refresh is queued.",
        breaks: Some("one-lease-per-key"),
        edits: &[at("lease-to-queue", "cur:=queued", "cur:=free")],
    },
    Mutation {
        name: "back-off-outlives-writes",
        what: "A write leaves the back-off of its key as it is.",
        breaks: Some("invalidation-wins"),
        edits: &[at("invalidate", "failure:=none", "failure:=before if failure!=none")],
    },
    Mutation {
        name: "revoked-failure-backs-off",
        what: "The failure of a revoked compute begins a back-off.",
        breaks: Some("invalidation-wins"),
        edits: &[at(
            "release-revoked",
            "set revoked:=none",
            "set failure:=holds if outcome=failed, broken:=outlived if outcome=failed and began=outdated, revoked:=none",
        )],
    },
    Mutation {
        name: "join-the-overtaken",
        what: "A miss waits for a compute that began before a write.",
        breaks: Some("invalidation-wins"),
        edits: &[at("wait", "cur=computing", "cur=computing,overtaken")],
    },
    Mutation {
        name: "serve-expired",
        what: "The look ignores the storage deadline.",
        breaks: Some("never-serve-expired"),
        edits: &[at("stale-hit", "is-stale", "(is-stale or is-expired)")],
    },
    Mutation {
        name: "serve-too-late",
        what: "A waiter gets a value that had expired before it asked.",
        breaks: Some("never-serve-expired"),
        edits: &[at("told-value", " and late=no", "")],
    },
    Mutation {
        name: "revoked-computes",
        what: "The re-check under the lease does not see that the lease was revoked.",
        breaks: Some("one-compute-per-window"),
        edits: &[at("inside", "at=leased and not fenced", "at=leased")],
    },
    Mutation {
        name: "release-without-notify",
        what: "A release does not wake the waiters.",
        breaks: Some("no-waiter-left-behind"),
        edits: &[at(
            "release-current",
            "others on=current: at:=woken, outcome:=my.outcome",
            "others on=crowd: on:=crowd",
        )],
    },
    Mutation {
        name: "lease-leaks-on-failure",
        what: "The lease is not released if the compute failed.",
        breaks: None,
        edits: &[at("fail", "at:=releases, outcome:=failed", "at:=idle")],
    },
];

impl Mutation {
    /// The mutated text.
    ///
    /// # Errors
    ///
    /// An edit does not find its words, or finds them twice.
    pub fn text(&self) -> Result<String, Error> {
        let mut text = TABLE.to_string();
        for edit in self.edits {
            let (from, to) =
                edit.step.map_or(Some((0, text.len())), |step| block(&text, step)).ok_or_else(
                    || Error { line: 0, what: format!("{}: no step {:?}", self.name, edit.step) },
                )?;
            if text[from..to].matches(edit.old).count() != 1 {
                let what = format!("{}: {:?} is not there once", self.name, edit.old);
                return Err(Error { line: 0, what });
            }
            let changed = text[from..to].replacen(edit.old, edit.new, 1);
            text.replace_range(from..to, &changed);
        }
        Ok(text)
    }

    /// The mutated table.
    ///
    /// # Errors
    ///
    /// The mutated text is none of the language.
    pub fn system(&self) -> Result<System, Error> {
        System::of(&self.text()?, INVARIANT)
    }
}

/// Where the lines of a step begin and end.
fn block(text: &str, step: &str) -> Option<(usize, usize)> {
    let heads = [format!("\nstep {step} |"), format!("\nworld {step} |")];
    let from = heads.iter().find_map(|head| text.find(head.as_str()))? + 1;
    let ends = ["\nstep ", "\nworld ", "\n#"];
    let to = ends.iter().filter_map(|end| text[from..].find(end)).min();
    Some((from, to.map_or(text.len(), |to| from + to)))
}
