//! A door with a port that is known before the engine runs, as an ingress has one: OAuth needs the callback's URL early.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// Copies what comes in to an engine.
pub struct Front {
    address: SocketAddr,
    engine: Arc<Mutex<Option<SocketAddr>>>,
}

impl Front {
    /// Takes a port.
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let engine: Arc<Mutex<Option<SocketAddr>>> = Arc::default();
        let target = engine.clone();
        // Ends with the test's process.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let address = *target.lock().unwrap();
                let server = address.and_then(|address| TcpStream::connect(address).ok());
                if let Some(server) = server {
                    copy_both_ways(&client, &server);
                }
            }
        });
        Self { address, engine }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Where to copy to from now on.
    pub fn lead_to(&self, engine: SocketAddr) {
        *self.engine.lock().unwrap() = Some(engine);
    }
}

fn copy_both_ways(one: &TcpStream, other: &TcpStream) {
    for (from, to) in [(one, other), (other, one)] {
        let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
        thread::spawn(move || {
            // A side that goes away ends the copy.
            let _ = io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
    }
}
