//! Which addresses a destination's name may lead to, asked after it was resolved and before anything is sent: a name's
//! owner, or the author of a document, must not lead calls to the machine itself or to a cloud's metadata service.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use tower_service::Service;

/// Where a destination's host comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Host {
    /// The configuration names it: it may be of the operator's own network, but a name never leads to link-local
    /// addresses, where metadata services answer.
    #[default]
    Named,
    /// A document gives it, or a template: it leads to public addresses only.
    Given,
}

/// The addresses a name leads to are none it may lead to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{host}` leads to {address}, where calls may not go")]
pub struct Forbidden {
    /// The name.
    pub host: String,
    /// An address of it.
    pub address: IpAddr,
}

impl Host {
    /// Whether a call may go to this address.
    pub fn may_reach(self, address: IpAddr) -> bool {
        match self {
            Host::Named => !is_link_local(address.to_canonical()),
            Host::Given => is_public(address.to_canonical()),
        }
    }

    /// Whether a URL's host, where it is an address and not a name, may be reached. An address that the configuration
    /// itself names may be any.
    ///
    /// # Errors
    /// When it may not.
    pub fn check_literal(self, host: &str) -> Result<(), Forbidden> {
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        match (self, bare.parse::<IpAddr>()) {
            (Host::Given, Ok(address)) if !self.may_reach(address) => {
                Err(Forbidden { host: host.to_owned(), address })
            }
            _ => Ok(()),
        }
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_unspecified() || ip.is_broadcast() || ip.is_multicast(),
        // fd00:ec2::/32 is where one cloud's metadata service answers over IPv6.
        IpAddr::V6(ip) => {
            let [first, second, ..] = ip.segments();
            first & 0xffc0 == 0xfe80
                || (first, second) == (0xfd00, 0x0ec2)
                || ip.is_unspecified()
                || ip.is_multicast()
        }
    }
}

fn is_public(address: IpAddr) -> bool {
    if is_link_local(address) {
        return false;
    }
    match address {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            let shared = a == 100 && b & 0xc0 == 64;
            let protocol = (a, b, c) == (192, 0, 0);
            let benchmarks = a == 198 && b & 0xfe == 18;
            !(ip.is_loopback()
                || ip.is_private()
                || ip.is_documentation()
                || shared
                || protocol
                || benchmarks
                || a == 0
                || a >= 240)
        }
        IpAddr::V6(ip) => {
            let [first, second, third, fourth, .., seventh, eighth] = ip.segments();
            // Addresses that carry an IPv4 address lead there.
            let carried = match (first, second) {
                (0x64, 0xff9b) => Some((seventh, eighth)),
                (0x2002, _) => Some((second, third)),
                (0, 0) if (third, fourth) == (0, 0) => Some((seventh, eighth)),
                _ => None,
            };
            match carried {
                Some((high, low)) => {
                    let [a, b] = high.to_be_bytes();
                    let [c, d] = low.to_be_bytes();
                    is_public(IpAddr::V4([a, b, c, d].into()))
                }
                // 2000::/3 is what is given out; 2001:db8::/32 is for documentation.
                None => first & 0xe000 == 0x2000 && (first, second) != (0x2001, 0x0db8),
            }
        }
    }
}

/// The system's resolver, held to what a host may lead to.
#[derive(Clone, Debug)]
pub struct Resolver {
    system: GaiResolver,
    host: Host,
}

impl Resolver {
    pub(crate) fn new(host: Host) -> Resolver {
        Resolver { system: GaiResolver::new(), host }
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.system.poll_ready(cx)
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let (host, asked) = (self.host, name.as_str().to_owned());
        let resolving = self.system.call(name);
        Box::pin(async move {
            let found: Vec<SocketAddr> = resolving.await?.collect();
            // One address that may not be reached is reason enough: such a name is not honest.
            match found.iter().find(|address| !host.may_reach(address.ip())) {
                Some(address) => Err(std::io::Error::other(Forbidden { host: asked, address: address.ip() })),
                None => Ok(found.into_iter()),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let check = |address: &str, named: bool, given: bool| {
            let ip = address.parse().unwrap();
            assert_eq!((Host::Named.may_reach(ip), Host::Given.may_reach(ip)), (named, given), "{address}");
        };
        check("93.184.215.14", true, true);
        check("2606:2800:21f:cb07:6820:80da:af6b:8b2c", true, true);
        check("127.0.0.1", true, false);
        check("10.1.2.3", true, false);
        check("172.31.0.1", true, false);
        check("192.168.1.1", true, false);
        check("100.100.100.200", true, false);
        check("::1", true, false);
        check("fd12::1", true, false);
        check("64:ff9b::a00:1", true, false);
        check("2002:7f00:1::", true, false);
        check("0.0.0.0", false, false);
        check("169.254.169.254", false, false);
        check("::ffff:169.254.169.254", false, false);
        check("fe80::1", false, false);
        check("fd00:ec2::254", false, false);
    }

    #[test]
    fn a_configured_address_is_meant() {
        assert!(Host::Named.check_literal("169.254.169.254").is_ok());
        assert!(Host::Given.check_literal("169.254.169.254").is_err());
        assert!(Host::Given.check_literal("[::1]").is_err());
        assert!(Host::Given.check_literal("api.example.com").is_ok());
    }
}
