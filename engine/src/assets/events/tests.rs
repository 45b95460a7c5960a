use futures::FutureExt;
use tokio::task::unconstrained;

use super::*;

fn publish(events: &Events, count: u64) {
    for number in 0..count {
        events.publish(EventKind::ToolsChanged, json!(number));
    }
}

fn numbers(listener: &mut Listener) -> Vec<u64> {
    let mut numbers = Vec::new();
    while let Some(Next::Event(event)) = unconstrained(listener.next()).now_or_never() {
        numbers.push(event.number);
    }
    numbers
}

#[tokio::test]
async fn a_listener_gets_what_comes_after_it_in_order() {
    let events = Events::new(1);
    publish(&events, 2);
    let mut listener = events.listen(None).unwrap();
    publish(&events, 3);
    assert_eq!(numbers(&mut listener), [3, 4, 5]);
}

#[tokio::test]
async fn a_listener_that_comes_back_reads_on_where_it_stopped() {
    let events = Events::new(7);
    publish(&events, 5);
    let mut listener = events.listen(Some((7, 2))).unwrap();
    assert_eq!(numbers(&mut listener), [3, 4, 5]);
}

#[tokio::test]
async fn an_id_of_an_earlier_life_or_from_nowhere_is_told_as_a_loss() {
    let events = Events::new(7);
    publish(&events, 5);
    for after in [(6, 2), (7, 100), (8, 1)] {
        let mut listener = events.listen(Some(after)).unwrap();
        assert_eq!(listener.next().await, Next::Lagged(None));
        publish(&events, 1);
        assert!(matches!(listener.next().await, Next::Event(_)));
    }
}

#[tokio::test]
async fn a_slow_listener_learns_how_much_it_missed_and_goes_on() {
    let events = Events::new(1);
    let mut listener = events.listen(None).unwrap();
    publish(&events, 300);
    assert_eq!(listener.next().await, Next::Lagged(Some(44)));
    assert_eq!(numbers(&mut listener), (45..=300).collect::<Vec<u64>>());
}

#[tokio::test]
async fn the_stop_ends_every_listener_at_once() {
    let events = Events::new(1);
    let mut listener = events.listen(None).unwrap();
    let waiting = tokio::spawn(async move { listener.next().await });
    tokio::task::yield_now().await;
    events.close();
    assert_eq!(waiting.await.unwrap(), Next::End);
    publish(&events, 1);
    assert_eq!(events.listen(None).unwrap().next().await, Next::End);
}

#[tokio::test]
async fn no_more_than_sixteen_listen_and_a_place_becomes_free_again() {
    let events = Events::new(1);
    let mut listeners: Vec<Listener> = std::iter::from_fn(|| events.listen(None)).collect();
    assert_eq!(listeners.len(), LISTENERS);
    listeners.pop();
    assert!(events.listen(None).is_some());
}
