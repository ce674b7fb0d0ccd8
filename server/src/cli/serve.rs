//! `seam serve`: opens everything in order, says where it is, and ends without losing anything.

use super::{
    Failure,
    lock::{self, DataLock},
};
use crate::{
    config::Config,
    http::{self, Places, PublicUrl, WebSettings, WebState},
};
use metrics::gauge;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use platform::{Platform, PlatformSettings};
use std::{
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};
use tenancy::{ControlSessions, SystemClock};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    time::{MissedTickBehavior, interval, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long connections may take to close once every answer has ended.
const CLOSING: Duration = Duration::from_secs(5);
/// How long what is left may take to be written down after that.
const SETTLING: Duration = Duration::from_secs(10);
const SESSION_CLEANUP: Duration = Duration::from_secs(60 * 60);
/// The exporter's buckets are drained this often, so that they do not grow while nobody scrapes.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

pub(super) async fn run(config: Config) -> Result<(), Failure> {
    if http::assets::are_missing() && std::env::var_os("SEAM_TEST_ALLOW_MISSING_ASSETS").is_none() {
        return Err(Failure::new("this binary was built without web assets; use: make build"));
    }
    if cfg!(feature = "mutants") {
        return Err(Failure::new("this binary was built to have its guards taken away; use: make build"));
    }
    lock::prepare(&config.data_dir)?;
    let lock = DataLock::acquire(&config.data_dir)?;
    let mut signals = Signals::listen()?;
    let listener = bind(config.listen).await?;
    let address = listener.local_addr().map_err(|error| Failure::new(format!("the socket has no address: {error}")))?;
    let metrics = PrometheusBuilder::new()
        .set_buckets(&[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0])
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|error| Failure::new(format!("metrics cannot be kept: {error}")))?;

    let settings = PlatformSettings {
        database: config.database.clone(),
        data_dir: config.data_dir.clone(),
        master_key: config.master_key.clone(),
        master_key_file: config.master_key_file.clone(),
        master_key_also: config.master_key_also.clone(),
        local: config.local(),
        clock: Arc::new(SystemClock),
        provider_keys: config.provider_keys.clone(),
        node_name: node_name(address),
        mail: config.mail.clone(),
        private_identity_providers: config.private_identity_providers,
    };
    // A signal before the first request ends the start at once: nothing is under way.
    let platform = tokio::select! {
        opened = Platform::open(settings) => Arc::new(opened?),
        () = signals.next() => return Ok(()),
    };
    let public_url = config.public_url.clone().unwrap_or_else(|| url_of(address));
    let invitation = invitation(&config, &platform, &public_url).await?;

    let web = WebState::new(
        Arc::clone(&platform),
        WebSettings {
            public_url: public_url.clone(),
            trust_proxy: config.trust_proxy,
            metrics: Some(metrics.clone()),
            metrics_token: config.metrics_token.clone(),
        },
    );
    let stop = CancellationToken::new();
    let places = Places::of_this_process(config.trust_proxy);
    let crew =
        http::Crew::start().map_err(|error| Failure::new(format!("threads for connections do not start: {error}")))?;
    let server = tokio::spawn(http::serve(listener, crate::router(web), places, crew.clone(), stop.clone()));
    let (upkeep, upkeep_stop) = start_upkeep(&platform, metrics);
    println!("Seam is ready at {public_url}");
    if let Some(invitation) = invitation {
        println!("{invitation}");
    }
    println!("Stop it with Ctrl-C.");

    signals.next().await;
    tracing::info!("stopping: no new requests, answers may finish for {:?}", config.shutdown_limit);
    platform.close_to_new();
    stop.cancel();
    let begun = Instant::now();
    let mut server = server;
    let patient = async {
        platform.chats.shutdown(config.shutdown_limit).await;
        // Programs read their answers from connections.
        let left = config.shutdown_limit.saturating_sub(begun.elapsed()).max(CLOSING);
        timeout(left, &mut server).await.is_ok()
    };
    // A database that does not answer makes nobody wait for longer than was said.
    let in_peace = tokio::select! {
        closed = timeout(config.shutdown_limit + 2 * CLOSING, patient) => Some(closed.unwrap_or(false)),
        () = signals.next() => None,
    };
    let closed = if let Some(closed) = in_peace {
        closed
    } else {
        tracing::warn!("stopping at once: answers under way end here, what they said is kept");
        let ended = async {
            platform.chats.shutdown(Duration::ZERO).await;
            server.await
        };
        timeout(CLOSING, ended).await.is_ok()
    };
    if !closed {
        tracing::warn!("some connections did not close by themselves");
    }
    upkeep_stop.cancel();
    upkeep.close();
    let settled = async {
        upkeep.wait().await;
        platform.shutdown(Duration::ZERO).await;
    };
    if timeout(SETTLING, settled).await.is_err() {
        tracing::warn!(
            "the database does not answer: what is not settled is left to the other nodes, or to the next start"
        );
    }
    drop(lock);
    tracing::info!("stopped");
    Ok(())
}

async fn bind(listen: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(listen).await.map_err(|error| {
        let failure = if error.kind() == ErrorKind::AddrInUse {
            Failure::new("another program listens on this address already")
        } else if error.kind() == ErrorKind::PermissionDenied {
            Failure::new("this user may not listen on this port")
        } else {
            Failure::new(format!("this address cannot be listened on: {error}"))
        };
        let next = SocketAddr::new(listen.ip(), listen.port().checked_add(1).unwrap_or(8080).max(1024));
        failure
            .at(listen.to_string())
            .remedy(format!("stop that program, or choose another address: SEAM_LISTEN={next}"))
    })
}

/// What the other nodes' people see: which machine, which address.
fn node_name(address: SocketAddr) -> String {
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{machine} {address}")
}

/// Where people on this machine find it.
fn url_of(address: SocketAddr) -> PublicUrl {
    let ip = if address.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { address.ip() };
    PublicUrl::plain(SocketAddr::new(ip, address.port()))
}

/// The first operator: from the settings, or by a link that works once.
async fn invitation(config: &Config, platform: &Platform, public_url: &PublicUrl) -> Result<Option<String>, Failure> {
    if let Some((email, password)) = config.operator.clone() {
        platform.tenancy.operator_create(email, password).await?;
    }
    if platform.tenancy.operator_exists().await? {
        return Ok(None);
    }
    let token = platform.tenancy.operator_link_create().await?;
    Ok(Some(format!(
        "Create the operator's account here (works once, within the hour): {public_url}/setup/{}",
        token.as_str()
    )))
}

/// What must happen now and then while the server runs.
fn start_upkeep(platform: &Arc<Platform>, metrics: PrometheusHandle) -> (TaskTracker, CancellationToken) {
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let sessions = ControlSessions::new(platform.control.clone(), platform.tenancy.clock().clone());
    tasks.spawn(every(SESSION_CLEANUP, stop.clone(), move || {
        let sessions = sessions.clone();
        async move {
            if let Err(error) = sessions.delete_expired().await {
                tracing::warn!(%error, "expired sessions were not removed; they open nothing all the same");
            }
        }
    }));
    let entrance = platform.tenancy.clone();
    tasks.spawn(every(SESSION_CLEANUP, stop.clone(), move || {
        let entrance = entrance.clone();
        async move {
            if let Err(error) = entrance.sign_ins_prune().await {
                tracing::warn!(%error, "old lines of the sign-in history were not removed");
            }
        }
    }));
    let local = Arc::clone(platform);
    tasks.spawn(every(METRICS_UPKEEP, stop.clone(), move || {
        let local = local.local_statistics();
        gauge!("seam_local_slots_busy").set(local.busy_slots as f64);
        gauge!("seam_local_waiting", "kind" => "chat").set(local.waiting_chats as f64);
        gauge!("seam_local_waiting", "kind" => "embed").set(local.waiting_embeds as f64);
        metrics.run_upkeep();
        std::future::ready(())
    }));
    (tasks, stop)
}

async fn every<F: Future<Output = ()>>(period: Duration, stop: CancellationToken, mut work: impl FnMut() -> F) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => work().await,
            () = stop.cancelled() => return,
        }
    }
}

/// The two signals that ask a process to end.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::new(format!("signals cannot be received: {error}")));
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
