//! Given up at any moment, a deletion and an import are completed by doing the same again.
//!
//! A future that is dropped stands for a process that ends: what was not committed is gone. The real thing, with
//! `kill -9`, is in `server/tests/cli/lifecycle.rs`.

use crate::world::{World, operator, slug};
use lifecycle::{Doomed, ImportOptions, LifecycleError, MissingPlan, UnderWay};
use std::{future::poll_fn, pin::pin, task::Poll};
use testbase::Engine;

const OPERATIONS: &str = "SELECT COUNT(*) AS value FROM tenant_operation";
const TENANTS: &str = "SELECT COUNT(*) AS value FROM tenant WHERE slug = 'acme'";
const CERTIFICATES: &str = "
SELECT COUNT(*) AS value FROM audit_entry WHERE chain = '' AND action = 'tenant.delete'";

/// Polls it so many times. None: it was given up before its end.
async fn at_most<T>(polls: usize, work: impl Future<Output = T>) -> Option<T> {
    let (mut work, mut left) = (pin!(work), polls);
    poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        work.as_mut().poll(context).map(Some)
    })
    .await
}

testbase::on_each_engine! {
    async fn a_deletion_that_is_given_up_again_and_again_comes_to_its_end(scratch: Scratch) {
        let mut world = World::at(scratch).await;
        let (acme, _) = (world.furnish("acme").await, world.furnish("umbrella").await);
        let neighbour = world.content("umbrella").await;
        let mut polls = 1;
        let certificate = loop {
            let by = operator();
            let delete = world.lifecycle.tenant_delete(&by, acme.id, "acme", UnderWay::NoServer);
            match at_most(polls, delete).await {
                Some(Ok(certificate)) => break certificate,
                // Given up between its last commit and its answer.
                Some(Err(LifecycleError::UnknownTenant(_))) => {
                    match world.lifecycle.tenant_doomed(&by, &slug("acme")).await.unwrap() {
                        Doomed::Gone(certificate) => break *certificate,
                        Doomed::Present { .. } => panic!("it is not known and yet there"),
                    }
                }
                Some(Err(error)) => panic!("{error}"),
                None => world = world.reopened().await,
            }
            polls += if polls < 30 { 1 } else { polls / 3 };
        };
        assert!(polls > 5, "it was never given up in the middle");
        // Counted before anything was removed, however often it was begun anew.
        let messages = certificate.places.iter().find(|place| place.place.ends_with("table message"));
        assert_eq!(messages.unwrap().rows, Some(620));
        assert_eq!((certificate.accounts, certificate.audit_entries), (2, 4));
        assert!(world.scratch.mentions(&acme.marker).await.unwrap().is_empty());
        assert_eq!((world.number(OPERATIONS).await, world.number(CERTIFICATES).await), (0, 1));
        assert_eq!(world.content("umbrella").await, neighbour);
        assert!(world.all_chains_hold().await);
        world.close().await;
    }

    async fn an_import_that_is_given_up_again_and_again_comes_to_its_end(scratch: Scratch) {
        let source = World::on(Engine::Sqlite).await;
        source.furnish("acme").await;
        let file = source.file("acme.seam");
        let manifest = source.export("acme", &file).await;
        let mut world = World::at(scratch).await;
        let mut polls = 1;
        loop {
            let options = ImportOptions { name: None, missing_plan: MissingPlan::Create };
            if let Some(done) = at_most(polls, world.import(&file, options)).await {
                done.unwrap();
                break;
            }
            world = world.reopened().await;
            // Until the last transaction there is no such tenant; with it, the import is at its end.
            let (tenants, operations) = (world.number(TENANTS).await, world.number(OPERATIONS).await);
            if tenants == 1 && operations == 0 {
                break;
            }
            assert_eq!(tenants, 0);
            polls += if polls < 30 { 1 } else { polls / 3 };
        }
        assert!(polls > 5, "it was never given up in the middle");
        assert_eq!(world.whole_content("acme").await, manifest.content_sha256);
        assert_eq!(world.number(OPERATIONS).await, 0);
        assert!(world.all_chains_hold().await);
        assert!(world.tenancy.tenant_by_slug(&slug("acme")).await.unwrap().is_some());
        source.close().await;
        world.close().await;
    }

    async fn an_export_that_is_given_up_leaves_no_file_of_its_name(scratch: Scratch) {
        let world = World::at(scratch).await;
        world.furnish("acme").await;
        let file = world.file("acme.seam");
        for polls in [1, 3, 6, 10, 15] {
            let (name, by) = (slug("acme"), operator());
            let export = world.lifecycle.tenant_export(&by, &name, &file);
            if at_most(polls, export).await.is_some() {
                break;
            }
            assert!(!file.exists());
            // The thread that writes ends when it finds that nothing more comes.
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        if !file.exists() {
            world.export("acme", &file).await;
        }
        let target = World::on(Engine::Sqlite).await;
        let options = ImportOptions { name: None, missing_plan: MissingPlan::Create };
        target.import(&file, options).await.unwrap();
        world.close().await;
        target.close().await;
    }
}
