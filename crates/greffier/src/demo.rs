//! `demo`: everything embedded, in one process, on the loopback, with no configuration and no network.
//!
//! An identity provider, models and tools are simulated (`provider`, `upstream`, `tools`, each on a port of its
//! own: `loopback`); the gateway between them and the ledger below it are the real ones (`setup`, `stage`, `node`).
//! People and agents (`people`, under `policies`) act out a week (`script`, `week`, `play`), about which questions
//! are then answered from the trail alone (`ask`, `answers`); it is verified, and tampered with in a copy
//! (`tampering`). `hold` holds the script against the trail, `folder` is where all of it lies, `tell` says it. What is promised and does not show is an error:
//! the demo is a test of itself.

mod answers;
mod ask;
mod folder;
mod hold;
mod loopback;
mod node;
mod people;
mod play;
mod policies;
mod provider;
mod script;
mod setup;
mod stage;
mod tampering;
mod tell;
mod tools;
mod upstream;
mod week;

use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use greffier_event::{Tenant, Timestamp};
use greffier_gateway::{Clock, Shift};
use greffier_ledger::KeyRing;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::{Exit, Failure};
use crate::output::Output;
use ask::Trail;
use folder::{Folder, KEYS};
use people::{HOSPITAL, OKAFOR, TENANTS, VANCE};
use play::Scene;
use stage::Stage;
use tell::{Teller, Told};
use week::Week;

/// Runs the demo in `dir`; `once` ends it after the answers.
pub(crate) fn run(dir: Option<&Path>, once: bool, output: Output) -> anyhow::Result<Exit> {
    let folder = Folder::make(dir, once)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let (mut terminate, mut interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let stopped = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        tokio::pin!(stopped);
        let teller = Teller::new(output, &folder);
        let stage = tokio::select! {
            stage = Box::pin(week_and_answers(&folder, once, &teller)) => stage?,
            () = &mut stopped => return Err(Failure::new("interrupted", "interrupted").into()),
        };
        if !once {
            Box::pin(serve_on(&folder, &stage, &teller, stopped)).await?;
        }
        Ok(Exit::Ok)
    })
}

/// The scripted part: the week, the answers, the check, and the check of a changed copy.
async fn week_and_answers(folder: &Folder, once: bool, teller: &Teller) -> anyhow::Result<Stage> {
    let started = Instant::now();
    let week = Week::before(system_now()?);
    teller.opening(folder.renewed, week);
    let stage = Stage::set(folder, once).await?;
    let (clock, shift) = Clock::shifted();
    set_clock(&shift, week.start())?;
    let node = stage.node(folder, clock.clone()).await?;
    let scene = Scene {
        gateway: &node.url,
        provider: &stage.provider,
        week,
        clock: &shift,
        time: clock,
        recorder: &node.recorder,
    };
    let played = play::play(&scene, script::week(), |done, of, time| teller.progress(done, of, time)).await?;
    shift.set_offset(0);

    let keys = KeyRing::open(&folder.path(KEYS))?;
    let now = system_now()?;
    let trail =
        |tenant| anyhow::Ok(Trail { engine: &node.engine, keys: &keys, tenant: Tenant::new(tenant)?, now });
    for tenant in TENANTS {
        hold::script_and_trail(&trail(tenant)?, &played).await?;
    }
    let trail = trail(HOSPITAL)?;
    stage.write_tokens(folder, now)?;
    answers::auditor_asks(&node.url, &folder.path(&stage::token_of(&VANCE))).await?;
    let answers = answers::all(&trail, &node.watch, week).await?;
    let model_saw = answers::seen_by_the_model(&trail, &stage.models.seen()).await?;
    let claims = trail.count("channel:sdk").await?;
    let denial = answers::a_denial(&trail).await?;

    // Stopped first: then every byte is covered, and none may differ.
    node.stop().await?;
    tampering::keep_trust(folder)?;
    let report = tokio::task::block_in_place(|| tampering::check(folder, false))?;
    if let Some(problem) = report.problems.first() {
        let message = format!("the trails of the demo do not verify: {}: {}", problem.place, problem.what);
        return Err(Failure::new("demo", message).into());
    }
    let tampered = tokio::task::block_in_place(|| tampering::change_and_check(folder, denial, HOSPITAL))?;
    let told = Told {
        seconds: started.elapsed().as_secs(),
        requests: played.len(),
        entries: report.trails.iter().map(|trail| trail.entries).sum(),
        trails: report.trails.len(),
        claims,
        answers,
        model_saw,
        parts: report.parts_opened,
        tampered,
    };
    teller.tell(&told, week, HOSPITAL)?;
    Ok(stage)
}

/// Real time again: the same installation, for whoever wants to try it.
async fn serve_on(
    folder: &Folder,
    stage: &Stage,
    teller: &Teller,
    stopped: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let node = stage.node(folder, Clock::system()).await?;
    let recording = tokio::spawn(node.recorder.clone().run(crate::when::now));
    teller.next_steps(&node.url, &stage::token_of(&OKAFOR), &stage::token_of(&VANCE), HOSPITAL);
    stopped.await;
    teller.note("stopping");
    recording.abort();
    drop(recording.await);
    node.stop().await
}

fn set_clock(shift: &Shift, time: Timestamp) -> anyhow::Result<()> {
    shift.set_offset(time.as_micros().saturating_sub(system_now()?.as_micros()));
    Ok(())
}

fn system_now() -> anyhow::Result<Timestamp> {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros();
    Ok(Timestamp::from_micros(i64::try_from(micros)?))
}
