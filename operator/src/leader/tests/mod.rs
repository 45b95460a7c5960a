mod server;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::server::{LATENCY, Line, Server, Wire};
use super::decide::TERM;
use super::*;

/// How late after the end of a term somebody else may see that it has ended.
const LATE: Duration = Duration::from_millis(2600);

/// A replica that leads as soon as it can, and for as long as it can.
struct Replica {
    wire: Wire,
    fence: Fence,
    standing: watch::Receiver<Standing>,
    life: JoinHandle<Lost>,
}

impl Replica {
    fn start(server: &Server, name: &str) -> Self {
        let (wire, fence) = (Wire::default(), Fence::default());
        let (tell, standing) = watch::channel(Standing::Looks);
        let client = server.client(&wire);
        let mut election = Election::new(client, "system", name.to_owned(), fence.clone());
        let life = tokio::spawn(async move {
            election.win(&tell).await;
            election.keep().await
        });
        Self {
            wire,
            fence,
            standing,
            life,
        }
    }

    /// How long it takes until it stands there.
    async fn is(&mut self, standing: Standing) -> Duration {
        let began = Instant::now();
        let reached = self.standing.wait_for(|now| *now == standing);
        let reached = timeout(Duration::from_mins(2), reached).await;
        let _value = reached.expect("two minutes are enough").unwrap();
        began.elapsed()
    }

    /// What becomes of it, and how long that takes.
    async fn ends(self) -> (Lost, Duration) {
        let began = Instant::now();
        let lost = timeout(Duration::from_mins(2), self.life).await;
        (
            lost.expect("two minutes are enough").unwrap(),
            began.elapsed(),
        )
    }
}

/// One that leads, and one that stands by.
async fn two(server: &Server) -> (Replica, Replica) {
    let mut first = Replica::start(server, "first");
    first.is(Standing::Starts).await;
    let mut second = Replica::start(server, "second");
    second.is(Standing::StandsBy).await;
    (first, second)
}

#[tokio::test(start_paused = true)]
async fn of_two_one_leads_and_the_other_stands_by_once_it_saw_that_the_first_lives() {
    let server = Server::default();
    let mut first = Replica::start(&server, "first");
    assert!(first.is(Standing::Starts).await < RETRY);
    let mut second = Replica::start(&server, "second");
    let took = second.is(Standing::StandsBy).await;
    assert!(took >= RETRY, "nothing was renewed yet: {took:?}");
    sleep(Duration::from_mins(10)).await;
    assert!(first.fence.is_open() && !second.fence.is_open());
    assert_eq!(*second.standing.borrow(), Standing::StandsBy);
    assert_eq!(server.holder().as_deref(), Some("first"));
}

#[tokio::test(start_paused = true)]
async fn when_the_leader_dies_the_next_one_leads_within_twenty_seconds() {
    for alive in 0..20 {
        let server = Server::default();
        let (first, mut second) = two(&server).await;
        sleep(Duration::from_millis(alive * 150)).await;
        first.life.abort();
        let took = second.is(Standing::Starts).await;
        assert!(took + 2 * LATE > TERM && took < TERM + LATE, "{took:?}");
    }
}

/// The election of a replica that leads.
async fn won(server: &Server, wire: &Wire) -> Election {
    let (tell, _standing) = watch::channel(Standing::Looks);
    let client = server.client(wire);
    let mut first = Election::new(client, "system", "first".to_owned(), Fence::default());
    first.win(&tell).await;
    first
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_releases_is_followed_at_once() {
    let server = Server::default();
    let first = won(&server, &Wire::default()).await;
    let mut second = Replica::start(&server, "second");
    sleep(RETRY).await;
    first.release().await;
    assert_eq!(server.holder(), None);
    let took = second.is(Standing::Starts).await;
    assert!(took < LATE, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_leader_releases_though_it_never_heard_of_its_last_renewal() {
    let (server, wire) = (Server::default(), Wire::default());
    let mut first = won(&server, &wire).await;
    wire.set(Line::Unheard);
    let kept = timeout(2 * RETRY, first.keep()).await;
    assert!(kept.is_err(), "it goes on");
    assert_eq!(server.writes(), 2);
    wire.set(Line::Good);
    first.release().await;
    assert_eq!(server.holder(), None);
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_never_heard_that_it_leads_releases_as_well() {
    let (server, wire) = (Server::default(), Wire::default());
    wire.set(Line::Unheard);
    let (tell, _standing) = watch::channel(Standing::Looks);
    let client = server.client(&wire);
    let mut first = Election::new(client, "system", "first".to_owned(), Fence::default());
    assert!(timeout(RETRY, first.win(&tell)).await.is_err());
    assert_eq!(server.holder().as_deref(), Some("first"));
    wire.set(Line::Good);
    first.release().await;
    assert_eq!(server.holder(), None);
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_arrives_in_the_middle_of_a_release_does_not_keep_it() {
    let server = Server::default();
    let first = won(&server, &Wire::default()).await;
    let renewal = async {
        // After what the release reads first, and before it writes.
        sleep(LATENCY * 3 / 2).await;
        server.renew();
    };
    tokio::join!(first.release(), renewal);
    assert_eq!((server.holder(), server.writes()), (None, 3));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_hold_the_lease_any_more_releases_nothing() {
    let server = Server::default();
    let first = won(&server, &Wire::default()).await;
    let mut second = Replica::start(&server, "second");
    second.is(Standing::Starts).await;
    first.release().await;
    assert_eq!(server.holder().as_deref(), Some("second"));
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_was_restarted_under_its_name_leads_again_at_once() {
    let server = Server::default();
    let mut first = Replica::start(&server, "first");
    first.is(Standing::Starts).await;
    first.life.abort();
    let mut again = Replica::start(&server, "first");
    assert!(again.is(Standing::Starts).await < RETRY);
}

#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_ends_before_anybody_else_leads() {
    for line in [Line::Broken, Line::Silent, Line::Deaf] {
        let server = Server::default();
        let (first, mut second) = two(&server).await;
        first.wire.set(line);
        let fence = first.fence.clone();
        let (lost, took) = first.ends().await;
        assert_eq!(lost, Lost::Late, "{line:?}");
        assert!(took <= HOLD, "{line:?}: {took:?}");
        assert!(!fence.is_open() && !second.fence.is_open(), "{line:?}");
        let spare = second.is(Standing::Starts).await;
        assert!(spare + HOLD + LATE > TERM, "{line:?}: {spare:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_leader_goes_on_when_the_server_was_away_for_less_than_it_holds() {
    let server = Server::default();
    let (first, second) = two(&server).await;
    for _ in 0..20 {
        for replica in [&first, &second] {
            replica.wire.set(Line::Broken);
        }
        sleep(Duration::from_secs(5)).await;
        for replica in [&first, &second] {
            replica.wire.set(Line::Good);
        }
        sleep(Duration::from_secs(5)).await;
    }
    assert!(first.fence.is_open() && !second.fence.is_open());
}

#[tokio::test(start_paused = true)]
async fn who_stood_still_ends_without_a_write() {
    let server = Server::default();
    let (first, second) = two(&server).await;
    // Both stand still, so nobody has taken it: what keeps the first from writing is its own clock.
    let before = server.writes();
    second.life.abort();
    tokio::time::advance(Duration::from_mins(1)).await;
    assert!(!first.fence.is_open(), "a write would pass");
    let (lost, took) = first.ends().await;
    assert_eq!((lost, server.writes()), (Lost::Late, before));
    assert!(took < Duration::from_millis(10), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_leader_whose_lease_somebody_gave_away_ends_at_once() {
    let server = Server::default();
    let mut first = Replica::start(&server, "first");
    first.is(Standing::Starts).await;
    let spec = json!({ "holderIdentity": "somebody", "leaseDurationSeconds": 15 });
    server.put(Some(json!({ "metadata": { "name": LEASE }, "spec": spec })));
    let fence = first.fence.clone();
    let (lost, took) = first.ends().await;
    assert_eq!(lost, Lost::Taken("somebody".to_owned()));
    assert!(took < LATE && !fence.is_open(), "{took:?}");
    assert_eq!(server.holder().as_deref(), Some("somebody"));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_somebody_deletes_is_made_again_by_who_leads() {
    let server = Server::default();
    let (first, second) = two(&server).await;
    for _ in 0..20 {
        server.put(None);
        sleep(LATE).await;
        assert_eq!(server.holder().as_deref(), Some("first"));
        // Long enough for the second to see it.
        sleep(LATE).await;
        assert!(first.fence.is_open() && !second.fence.is_open());
    }
}

/// Lines that break and mend at random, and replicas that are started again when they end.
#[tokio::test(start_paused = true)]
async fn at_no_time_do_two_lead() {
    let lines = [
        Line::Good,
        Line::Good,
        Line::Broken,
        Line::Silent,
        Line::Deaf,
    ];
    let (mut led, mut ends) = (0, 0);
    for round in 0..4 {
        let server = Server::default();
        let mut replicas = ["a", "b", "c"].map(|name| Replica::start(&server, name));
        for tick in 0..3000 {
            sleep(Duration::from_millis(100)).await;
            let open = replicas.iter().filter(|one| one.fence.is_open()).count();
            assert!(open <= 1, "round {round}, tick {tick}");
            led += open;
            for (index, name) in ["a", "b", "c"].into_iter().enumerate() {
                let dice = jittered(Duration::from_secs(4), &format!("{round} {tick} {name}"));
                let dice = usize::try_from(dice.as_millis()).unwrap() - 4000;
                if dice < 20 {
                    replicas[index].wire.set(lines[dice % lines.len()]);
                }
                if replicas[index].life.is_finished() {
                    replicas[index] = Replica::start(&server, name);
                    ends += 1;
                }
            }
        }
    }
    assert!(
        led > 4_000 && ends > 10,
        "{led} ticks with a leader, {ends} ends"
    );
}
