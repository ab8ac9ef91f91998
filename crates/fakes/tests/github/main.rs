//! The stand-in, tested through its public edges: the real git command, HTTP and webhooks.

#[cfg(test)]
mod git_http;
#[cfg(test)]
mod rest;
#[cfg(test)]
mod support;
#[cfg(test)]
mod webhooks;
