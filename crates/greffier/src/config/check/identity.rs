//! `[[issuer]]`: who may vouch for callers.

use greffier_gateway::may_fetch;
use greffier_policy::{ClaimPaths, Issuer, Pointer, Tenants};

use super::super::IssuerConfig;
use super::super::raw::{RawClaims, RawIssuer, Text};
use super::Checker;

/// Issuers of one node: each is asked for its keys every few minutes.
const MAX_ISSUERS: usize = 64;

impl Checker<'_> {
    pub(super) fn issuers(&mut self, raw: &[RawIssuer]) -> Vec<IssuerConfig> {
        for (at, issuer) in raw.iter().enumerate() {
            if raw.iter().take(at).any(|earlier| earlier.url == issuer.url) {
                self.problem(&issuer.url, "this issuer stands twice");
            }
            if at == MAX_ISSUERS {
                self.problem(&issuer.url, format!("more than {MAX_ISSUERS} issuers"));
            }
        }
        raw.iter().filter_map(|issuer| self.issuer(issuer)).collect()
    }

    fn issuer(&mut self, raw: &RawIssuer) -> Option<IssuerConfig> {
        let jwks_file = raw.jwks_file.as_ref().map(|file| self.path(file));
        if raw.url.get_ref().is_empty() {
            self.problem(&raw.url, "expected the issuer as its tokens name it in `iss`");
        } else if jwks_file.is_none() && !may_fetch(raw.url.get_ref()) {
            let message = "expected an https URL (http on loopback only), or keys by `jwks_file`";
            self.problem(&raw.url, message);
        }
        if raw.audience.get_ref().is_empty() {
            self.problem(&raw.audience, "expected our name, as tokens carry it in `aud`");
        }
        let tenants = self.take(&raw.tenants, Tenants::parse(raw.tenants.get_ref()));
        let claims = self.claims(&raw.claims);
        let single = matches!(&tenants, Some(Tenants::Only(tenants)) if tenants.len() == 1);
        if tenants.is_some() && claims.tenant.is_none() && !single {
            let message =
                "with more than one tenant the tokens must say which: add `claims = { tenant = \"/…\" }`";
            self.problem(&raw.tenants, message);
        }
        let issuer = Issuer {
            url: raw.url.get_ref().clone(),
            audience: raw.audience.get_ref().clone(),
            tenants: tenants?,
            claims,
            verified: true,
        };
        Some(IssuerConfig { issuer, jwks_file })
    }

    fn claims(&mut self, raw: &RawClaims) -> ClaimPaths {
        let mut paths = ClaimPaths::default();
        let written = [
            (&raw.tenant, &mut paths.tenant),
            (&raw.roles, &mut paths.roles),
            (&raw.scopes, &mut paths.scopes),
            (&raw.email, &mut paths.email),
            (&raw.agent, &mut paths.agent),
            (&raw.tier, &mut paths.tier),
            (&raw.session, &mut paths.session),
        ];
        for (written, path) in written {
            if let Some(written) = written {
                *path = self.pointer(written);
            }
        }
        paths
    }

    pub(super) fn pointer(&mut self, text: &Text) -> Option<Pointer> {
        self.take(text, Pointer::new(text.get_ref().clone()))
    }
}
