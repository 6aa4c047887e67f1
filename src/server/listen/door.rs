//! Who may connect: a bound on open connections, in all and from one network.

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::io;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum_server::accept::Accept;
use ipnet::IpNet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use tokio::net::TcpStream;

use crate::server::listen::guarded::Guarded;
use crate::server::peer;

/// One network has at most one place in so many.
const SHARE: usize = 4;

/// Lets connections in while there is room; refuses the rest at once.
#[derive(Clone)]
pub(crate) struct Door(Arc<Places>);

struct Places {
    most: usize,
    trusted: Vec<IpNet>,
    taken: Mutex<Taken>,
    open: Gauge,
    refused: Counter,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_network: BTreeMap<IpAddr, usize>,
}

impl Door {
    /// `most` places. The networks `trusted` are our own proxies: they have no share of their own.
    pub fn new(most: NonZeroU32, trusted: Vec<IpNet>, open: Gauge, refused: Counter) -> Self {
        let most = usize::try_from(most.get()).unwrap_or(usize::MAX);
        Self(Arc::new(Places { most, trusted, taken: Mutex::default(), open, refused }))
    }

    fn enter(&self, address: IpAddr) -> Option<Place> {
        let network = (!peer::is_trusted(address, &self.0.trusted)).then(|| peer::network(address));
        let mut taken = self.taken();
        let of_network = network.and_then(|network| taken.by_network.get(&network));
        let share = (self.0.most / SHARE).max(1);
        if taken.all >= self.0.most || of_network.is_some_and(|held| *held >= share) {
            self.0.refused.inc();
            return None;
        }
        taken.all += 1;
        if let Some(network) = network {
            *taken.by_network.entry(network).or_default() += 1;
        }
        self.0.open.inc();
        Some(Place { door: self.clone(), network })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.0.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one connection; free again once it is dropped.
pub(crate) struct Place {
    door: Door,
    network: Option<IpAddr>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.door.taken();
        taken.all -= 1;
        self.door.0.open.dec();
        let Some(network) = self.network else { return };
        if let Some(held) = taken.by_network.get_mut(&network) {
            *held -= 1;
            if *held == 0 {
                taken.by_network.remove(&network);
            }
        }
    }
}

impl<S> Accept<TcpStream, S> for Door {
    type Stream = Guarded<TcpStream, Place>;
    type Service = S;
    type Future = Ready<io::Result<(Self::Stream, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let entered = stream.peer_addr().and_then(|peer| {
            stream.set_nodelay(true)?;
            self.enter(peer.ip()).ok_or_else(|| io::ErrorKind::QuotaExceeded.into())
        });
        ready(entered.map(|place| (Guarded::new(stream, place), service)))
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::num::NonZeroU32;

    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::gauge::Gauge;

    use super::Door;

    #[test]
    fn a_place_is_taken_once_and_free_again_and_nobody_has_more_than_a_quarter() {
        let (open, refused) = (Gauge::default(), Counter::default());
        let proxy = "10.0.0.0/8".parse().unwrap();
        let most = NonZeroU32::new(8).unwrap();
        let door = Door::new(most, vec![proxy], open.clone(), refused.clone());
        let at = |text: &str| door.enter(text.parse::<IpAddr>().unwrap());

        let first = at("192.0.2.1");
        let second = at("::ffff:192.0.2.1");
        assert!(first.is_some() && second.is_some());
        assert!(at("192.0.2.1").is_none(), "its quarter is taken");
        let others: Vec<_> = (0..6).map(|_| at("10.0.0.1")).collect();
        assert!(others.iter().all(Option::is_some), "our own proxy has no share");
        assert!(at("192.0.2.2").is_none() && at("10.0.0.2").is_none(), "all are taken");
        assert_eq!((open.get(), refused.get()), (8, 3));

        drop(first);
        assert!(at("192.0.2.1").is_some(), "free again, and again at the end of this line");
        drop((second, others));
        assert_eq!(open.get(), 0);
        assert!(door.taken().by_network.is_empty(), "nothing is kept of who left");
    }
}
