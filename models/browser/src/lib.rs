//! Looks at the HTML report in a real browser. All of it is in `tests/page.rs`: it is a package of its own so that nobody
//! builds a client of a browser who does not ask for it.
