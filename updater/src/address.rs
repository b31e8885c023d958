//! Where a device is.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};

use crate::error::Error;

/// The port of CoAP (RFC 7252, 6.1).
const DEFAULT_PORT: u16 = 5683;

/// Where a device is: `coap://HOST[:PORT]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

impl std::str::FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is not of the form coap://HOST:PORT");
        let authority = text.strip_prefix("coap://").ok_or_else(wrong)?;
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        if authority.contains(['/', '?', '#', '@']) {
            return Err(wrong());
        }
        let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
            let (host, after) = rest.split_once(']').ok_or_else(wrong)?;
            match after {
                "" => (host, None),
                _ => (host, Some(after.strip_prefix(':').ok_or_else(wrong)?)),
            }
        } else {
            match authority.split_once(':') {
                None => (authority, None),
                Some((_, port)) if port.contains(':') => return Err(wrong()),
                Some((host, port)) => (host, Some(port)),
            }
        };
        if host.is_empty() {
            return Err(wrong());
        }
        let port = match port {
            None => DEFAULT_PORT,
            Some(port) => port.parse().map_err(|_| wrong())?,
        };
        Ok(Self {
            host: host.to_owned(),
            port,
        })
    }
}

impl Address {
    /// What the name stands for, in the order in which to try; not empty.
    pub(crate) fn resolve(&self) -> Result<VecDeque<SocketAddr>, Error> {
        let unresolved = |source| Error::Unresolved {
            device: self.to_string(),
            source,
        };
        let found = (self.host.as_str(), self.port)
            .to_socket_addrs()
            .map_err(unresolved)?;
        let found: VecDeque<_> = found.collect();
        match found.is_empty() {
            true => Err(unresolved(io::Error::from(ErrorKind::NotFound))),
            false => Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    fn read(text: &str) -> Option<String> {
        text.parse::<Address>().ok().map(|a| a.to_string())
    }

    #[test]
    fn addresses_are_coap_uris_without_a_path() {
        assert_eq!(
            read("coap://127.0.0.1:5700").as_deref(),
            Some("127.0.0.1:5700")
        );
        assert_eq!(
            read("coap://node.example/").as_deref(),
            Some("node.example:5683")
        );
        assert_eq!(read("coap://[::1]:77").as_deref(), Some("[::1]:77"));
        assert_eq!(
            read("coap://[fe80::1%eth0]").as_deref(),
            Some("[fe80::1%eth0]:5683")
        );
        for wrong in [
            "127.0.0.1:5683",
            "coaps://a",
            "coap://",
            "coap://:1",
            "coap://a:b",
            "coap://a:99999",
            "coap://a/path",
            "coap://::1",
            "coap://[::1",
            "coap://[::1]x",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
