//! What a look at stacks means: drift, and stacks that no stage knows.
//!
//! What always holds: what was found is kept only as long as it can still be true: a change of ours
//! since the look began makes it worthless.

use std::collections::BTreeMap;

use model::OrphanId;
use model::drift::StackDrift;
use model::outside::Found;
use model::sweep::{TaggedStack, Verdict, judge};
use store::PgConnection;
use store::drift::Drift;
use store::job::Work;
use store::orphan::Look;

use super::super::outside;
use super::Effect;
use crate::error::Result;

impl Effect<'_> {
    pub(super) async fn drifted(
        &self,
        conn: &mut PgConnection,
        stacks: &[StackDrift],
        found: &BTreeMap<String, Found>,
    ) -> Result<()> {
        let Some(instance) = self.job.instance_id else { return Ok(()) };
        let instance = store::instance::get(conn, instance).await?;
        if self.job.started_at.is_none_or(|began| instance.updated_at > began) {
            return Ok(());
        }
        let build = store::build::get(conn, self.job.build_id).await?;
        let drift = Drift {
            instance_id: instance.id,
            looked_at: self.now,
            build_number: build.number,
            stacks: stacks.to_vec(),
        };
        store::drift::put(conn, &drift).await?;
        Ok(outside::seen(conn, self.job, found, &mut Vec::new(), self.now).await?)
    }

    pub(super) async fn swept(&self, conn: &mut PgConnection, found: &[TaggedStack]) -> Result<()> {
        let Some(Work::Sweep { profile, regions }) = &self.job.work else { return Ok(()) };
        let build = store::build::get(conn, self.job.build_id).await?;
        let app = store::app::get(conn, build.app_id).await?;
        // the settings may have dropped the profile meanwhile: then nobody asks for its account
        let Some(settings) = app.settings.profiles.get(profile) else { return Ok(()) };
        let account = settings.role_arn.account();
        let look = Look { app: app.id, profile, account, now: self.now };
        let places = store::orphan::places(conn, found).await?;
        let began = self.job.started_at.unwrap_or(self.now);
        let mut known = Vec::new();
        for (stack, place) in found.iter().zip(&places) {
            match judge(stack, place, began) {
                Verdict::Known => known.push(stack.id.as_str()),
                Verdict::Unsure => {}
                Verdict::Orphan(why) => {
                    let id = OrphanId(self.state.id());
                    store::orphan::seen(conn, id, stack, &why, look).await?;
                }
            }
        }
        Ok(store::orphan::settle(conn, regions, found, &known, look).await?)
    }
}
