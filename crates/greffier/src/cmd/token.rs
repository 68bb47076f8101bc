//! `token`: an access token of the development issuer, for a loopback listener. Only the token goes to stdout.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use greffier_event::{Tenant, Timestamp};
use greffier_policy::dev::Claims;
use greffier_policy::{KeySet, Tenants, verify};

use crate::cli;
use crate::config::Config;
use crate::dev_issuer;
use crate::exit::{Exit, Failure};
use crate::output::Output;

pub(super) fn run(args: cli::Token, named: Option<&Path>, output: Output) -> anyhow::Result<Exit> {
    let config = Config::load(named)?;
    if !config.issuers.is_empty() {
        let failure = Failure::new("dev_issuer", "the configuration names its issuers: they make the tokens");
        return Err(failure.hint("the development issuer is in force only without any [[issuer]]").into());
    }
    let dev = dev_issuer::open(&config.keys)?;
    let claims = Claims {
        sub: args.sub,
        tenant: Some(Tenant::new(args.tenant)?),
        roles: args.roles,
        scopes: args.scopes,
        email: args.email,
        agent: args.agent,
        tier: args.tier,
        session: args.session,
        client: None,
        jti: uuid::Uuid::now_v7().to_string(),
    };
    let now = now()?;
    let ttl = u32::try_from(args.ttl.as_secs())?;
    let token = dev.mint(&claims, dev_issuer::AUDIENCE, now, ttl);
    // What the gateway would refuse is refused here, where the reason can be seen.
    let keys = KeySet::parse(dev.jwks().as_bytes())?;
    verify(&token, &dev.issuer(dev_issuer::AUDIENCE, Tenants::Any), &keys, now)
        .map_err(|refusal| Failure::new(refusal.code(), refusal.to_string()).exit(Exit::Usage))?;
    output.raw(&format!("{token}\n"))?;
    Ok(Exit::Ok)
}

fn now() -> anyhow::Result<Timestamp> {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
    Ok(Timestamp::from_micros(i64::try_from(micros)?))
}
