//! Names that can be lost.

use std::collections::BTreeSet;
use std::io::{Error, ErrorKind};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use userengine_engine::egress::{Resolve, Resolving};

/// A resolver that knows one address, and for the ports of lost listeners none.
#[derive(Debug, Clone, Default)]
pub struct Names(Arc<Mutex<BTreeSet<u16>>>);

impl Names {
    pub(super) fn lose(&self, port: u16) {
        self.0.lock().unwrap().insert(port);
    }

    pub(super) fn find(&self, port: u16) {
        self.0.lock().unwrap().remove(&port);
    }
}

impl Resolve for Names {
    fn resolve(&self, _: &str, port: u16) -> Resolving {
        let lost = self.0.lock().unwrap().contains(&port);
        Box::pin(async move {
            if lost {
                return Err(Error::from(ErrorKind::NotFound));
            }
            Ok(vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))])
        })
    }
}
