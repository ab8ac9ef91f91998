//! Resolves the names of receivers, and leaves out the addresses that must not be reached.
//!
//! What always holds: what is connected to is one of the addresses judged here; a name that means
//! another address a moment later changes nothing, for it is not asked for again.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use model::notification::{Network, Way, may_be_reached};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Why an address is not connected to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    #[error(
        "its address is not one that this server may send to; whoever runs the server can allow \
         its network (notify.allow)"
    )]
    Private,
    #[error(
        "without TLS (http://) it may only lie in a network that whoever runs the server has \
         allowed (notify.allow)"
    )]
    Plain,
}

impl Refused {
    fn of(way: Way) -> Self {
        match way {
            Way::Encrypted => Self::Private,
            Way::Plain => Self::Plain,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Guard {
    pub(crate) allowed: Arc<[Network]>,
    pub(crate) way: Way,
}

impl Guard {
    /// For an address that is written as a number, which nobody resolves.
    pub(crate) fn judge(&self, ip: IpAddr) -> Result<(), Refused> {
        match may_be_reached(ip, self.way, &self.allowed) {
            true => Ok(()),
            false => Err(Refused::of(self.way)),
        }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let (mut reached, mut refused) = (Vec::<SocketAddr>::new(), None);
            for address in found {
                match guard.judge(address.ip()) {
                    Ok(()) => reached.push(address),
                    Err(why) => refused = Some(why),
                }
            }
            match refused {
                Some(why) if reached.is_empty() => Err(why.into()),
                Some(_) | None => Ok(Box::new(reached.into_iter()) as Addrs),
            }
        })
    }
}
