//! Connections: how many there may be, and how long one may take to say what it wants.
//!
//! A client that opens connections and says nothing, or says it slowly, holds a place for `HEADER_TIME` and
//! no longer; one address holds at most a quarter of the places. So nobody closes the door for others.

use super::{
    crew::Crew,
    tally::{Held, Tally},
};
use axum::{Router, extract::ConnectInfo};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::{Layer, util::MapRequestLayer};

/// From the connection's start, or the end of the last request, until a request's head is there.
const HEADER_TIME: Duration = Duration::from_secs(30);
/// Files of ours: databases, logs, connections to providers.
const FILES_KEPT: u64 = 512;
const MOST_CONNECTIONS: u64 = 16_384;
const FEWEST_CONNECTIONS: u64 = 32;
/// When the system gives no socket there is nothing to do but wait for one to close.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// How many connections there may be at once, and how many of one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Places {
    pub all: usize,
    /// None behind a proxy, where all come from one address.
    pub of_one: Option<usize>,
}

impl Places {
    /// As many as this process may open files for, after raising that as far as the system lets it.
    pub fn of_this_process(behind_proxy: bool) -> Self {
        use rustix::process::{Resource, getrlimit, setrlimit};
        let mut limit = getrlimit(Resource::Nofile);
        if limit.maximum != limit.current {
            limit.current = limit.maximum;
            // Refused: then it stays what it was.
            let _ = setrlimit(Resource::Nofile, limit);
        }
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let all = files.saturating_sub(FILES_KEPT).clamp(FEWEST_CONNECTIONS, MOST_CONNECTIONS);
        let all = usize::try_from(all).unwrap_or(usize::MAX);
        Self { all, of_one: (!behind_proxy).then_some(all / 4) }
    }
}

/// Serves until `stop`; then takes no new connections and returns when the requests under way are answered.
pub async fn serve(listener: TcpListener, router: Router, places: Places, crew: Crew, stop: CancellationToken) {
    let door = Door {
        places: Arc::new(Semaphore::new(places.all)),
        of_one: places.of_one.unwrap_or(usize::MAX),
        by_address: Tally::default(),
    };
    let connections = TaskTracker::new();
    loop {
        let admitted = tokio::select! {
            () = stop.cancelled() => break,
            admitted = door.admit(&listener) => admitted,
        };
        if let Some((socket, peer, place)) = admitted {
            let socket = socket.into_std();
            let (router, stop, counted) = (router.clone(), stop.clone(), connections.token());
            crew.give(async move {
                let _held = (place, counted);
                match socket.and_then(TcpStream::from_std) {
                    Ok(socket) => follow(socket, peer, router, stop).await,
                    Err(error) => tracing::warn!(%error, "a connection could not be handed on"),
                }
            });
        }
    }
    connections.close();
    connections.wait().await;
}

async fn follow(socket: TcpStream, peer: SocketAddr, router: Router, stop: CancellationToken) {
    // Tokens are small and must leave at once.
    if let Err(error) = socket.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY");
    }
    let with_peer = MapRequestLayer::new(move |mut request: http::Request<_>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    });
    let service = TowerToHyperService::new(with_peer.layer(router));
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIME);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(HEADER_TIME);
    let connection = builder.serve_connection(TokioIo::new(socket), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, %peer, "a connection broke");
    }
}

struct Door {
    places: Arc<Semaphore>,
    of_one: usize,
    by_address: Tally<IpAddr>,
}

/// A connection's place among all and among those of its address.
type Place = (OwnedSemaphorePermit, Held<IpAddr>);

impl Door {
    /// The next connection, once there is a place for it. None: it was turned away, or there was none.
    async fn admit(&self, listener: &TcpListener) -> Option<(TcpStream, SocketAddr, Place)> {
        let of_all = Arc::clone(&self.places).acquire_owned().await.ok()?;
        match listener.accept().await {
            Ok((socket, peer)) => {
                let Some(of_one) = self.by_address.hold(peer.ip(), self.of_one) else {
                    tracing::warn!(address = %peer.ip(), "a connection was turned away: this address has too many");
                    return None;
                };
                Some((socket, peer, (of_all, of_one)))
            }
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        time::timeout,
    };

    async fn start(places: Places) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        let peer = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() };
        let router = Router::new().route("/", get(peer));
        let served = tokio::spawn(serve(listener, router, places, Crew::of_one(), stop.clone()));
        (address, stop, served)
    }

    async fn ask(address: SocketAddr) -> String {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        let _ = timeout(Duration::from_secs(5), socket.read_to_string(&mut answer)).await;
        answer
    }

    #[tokio::test]
    async fn requests_are_answered_and_know_who_asks() {
        let (address, stop, served) = start(Places { all: 4, of_one: None }).await;
        for _ in 0..10 {
            assert!(ask(address).await.ends_with("127.0.0.1"));
        }
        stop.cancel();
        timeout(Duration::from_secs(5), served).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn one_address_cannot_take_every_place() {
        let (address, _stop, _served) = start(Places { all: 8, of_one: Some(2) }).await;
        let mut silent = Vec::new();
        for _ in 0..2 {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(ask(address).await, "");
        silent.pop();
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(ask(address).await.ends_with("127.0.0.1"));
    }

    #[tokio::test]
    async fn who_never_says_what_they_want_is_let_go() {
        let (address, _stop, _served) = start(Places { all: 1, of_one: None }).await;
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HT").await.unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        tokio::time::pause();
        let mut rest = Vec::new();
        timeout(HEADER_TIME * 2, slow.read_to_end(&mut rest)).await.unwrap().unwrap();
    }
}
