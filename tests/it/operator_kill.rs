//! The operator killed in the middle of a run; the next one goes on from where it was.

use std::collections::BTreeSet;

use seatkeeper::apply::FAILPOINTS;

use crate::operator_world::World;

const ROSTER: &str = "{email: ana@example.com, role: admin}, {email: bo@example.com}";

/// Points that a first run of a team passes: nothing but sends, in one wave.
fn points_of_a_first_run() -> BTreeSet<&'static str> {
    let others = ["apply.acting", "apply.acted", "apply.wave-opened"];
    FAILPOINTS.iter().copied().filter(|point| !others.contains(point)).collect()
}

// rule: OP-02
#[tokio::test]
async fn killed_at_any_point_of_a_run_the_operator_sends_one_mail_a_person() {
    let points = points_of_a_first_run();
    assert!(points.len() >= 6, "{points:?}");
    for point in points {
        let mut world = World::new("growth").await;
        world.declare("", ROSTER).await;
        world.start_operator_with("info", &["--failpoint", point]).await;
        world.operator_dies(point).await;

        world.start_operator("info").await;
        world.becomes("account/acme", "Synced").await;
        world
            .until("both are invited", async || {
                world.get("team/core").await["status"]["counts"]["pending"] == 2
            })
            .await;
        world.looks_again(1).await;
        assert_eq!(world.mails("invitation").len(), 2, "killed at {point}");
    }
}
