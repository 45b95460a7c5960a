//! The listeners and their connections.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::fault::Door;
use super::operation::{Operation, Part};
use super::play::play;
use super::state::{Counted, State};
use super::wire::Wire;

/// One listener, on a port that stays its own.
pub(super) struct Listener {
    part: Part,
    state: Arc<State>,
    address: SocketAddr,
    mode: Mode,
}

enum Mode {
    Serving {
        stop: oneshot::Sender<()>,
        task: JoinHandle<TcpListener>,
    },
    /// Bound, so that nobody else gets the port, and not listening: who connects is refused.
    Refusing(TcpSocket),
    /// Between two modes.
    Changing,
}

impl Listener {
    pub(super) async fn open(part: Part, state: Arc<State>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mode = serve(listener, part, state.clone(), Door::Open);
        Self {
            part,
            state,
            address,
            mode,
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.address.port()
    }

    /// Ends all connections, and meets new ones like this from now on.
    pub(super) async fn change(&mut self, door: Door) {
        let listener = match std::mem::replace(&mut self.mode, Mode::Changing) {
            Mode::Serving { stop, task } => {
                let _ = stop.send(());
                task.await.unwrap()
            }
            Mode::Refusing(socket) => socket.listen(1024).unwrap(),
            Mode::Changing => unreachable!("changes one after another"),
        };
        self.mode = if door == Door::Refusing {
            drop(listener);
            let socket = TcpSocket::new_v4().unwrap();
            socket.set_reuseaddr(true).unwrap();
            socket.bind(self.address).unwrap();
            Mode::Refusing(socket)
        } else {
            serve(listener, self.part, self.state.clone(), door)
        };
    }
}

fn serve(listener: TcpListener, part: Part, state: Arc<State>, door: Door) -> Mode {
    let (stop, mut stopped) = oneshot::channel();
    let task = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => meet(&mut connections, stream, part, &state, door),
                    Err(error) => panic!("failed to accept: {error}"),
                },
                Some(_) = connections.join_next() => {}
                _ = &mut stopped => break,
            }
        }
        connections.shutdown().await;
        listener
    });
    Mode::Serving { stop, task }
}

fn meet(
    connections: &mut JoinSet<()>,
    stream: TcpStream,
    part: Part,
    state: &Arc<State>,
    door: Door,
) {
    let tls = match door {
        Door::WrongCertificate => &state.tls.wrong,
        Door::ExpiredCertificate => &state.tls.expired,
        Door::Open => &state.tls.right,
        Door::Closing | Door::Refusing => return,
    };
    connections.spawn(converse(stream, tls.clone(), part, state.clone()));
}

async fn converse(stream: TcpStream, tls: TlsAcceptor, part: Part, state: Arc<State>) {
    let _one = Counted::new(&state.connections);
    stream.set_nodelay(true).unwrap();
    let Ok(stream) = tls.accept(stream).await else {
        return;
    };
    let mut wire = Wire::new(stream);
    while let Some(request) = wire.request().await {
        let operation = Operation::of(&request);
        let right = match state.arrived(operation) {
            None => state.answer(part, operation, &request),
            Some(fault) => {
                let spoiled = state.spoil(fault, part, operation, &request);
                let _late = fault.dawdles().then(|| Counted::new(&state.dawdling));
                match play(fault, spoiled, wire).await {
                    ControlFlow::Continue(back) => wire = back,
                    ControlFlow::Break(()) => return,
                }
                continue;
            }
        };
        if wire.write(right.bytes()).await.is_err() {
            return;
        }
    }
}
