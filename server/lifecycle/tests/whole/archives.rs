//! An archive that was damaged is refused, wherever the damage is, and nothing of it is imported.

use crate::world::World;
use lifecycle::{ImportOptions, LifecycleError, MissingPlan};
use std::path::Path;
use testbase::Engine;

const TENANTS: &str = "SELECT COUNT(*) AS value FROM tenant";
const OPERATIONS: &str = "SELECT COUNT(*) AS value FROM tenant_operation";

async fn refused(world: &World, file: &Path) -> LifecycleError {
    let options = ImportOptions { name: None, missing_plan: MissingPlan::Create };
    let error = world.import(file, options).await.unwrap_err();
    assert_eq!((world.number(TENANTS).await, world.number(OPERATIONS).await), (0, 0), "{error}");
    error
}

#[tokio::test]
async fn every_region_of_an_archive_is_protected() {
    let source = World::on(Engine::Sqlite).await;
    source.furnish("acme").await;
    let file = source.file("acme.seam");
    source.export("acme", &file).await;
    let sound = std::fs::read(&file).unwrap();
    let target = World::on(Engine::Sqlite).await;
    let broken = source.file("broken.seam");
    // Each byte of the first line and of the head and the tail of what follows, and some of every region between.
    let step = (sound.len() / 150).max(1);
    let places = (0..sound.len()).filter(|place| *place < 130 || *place + 20 > sound.len() || place % step == 0);
    for place in places {
        let mut bytes = sound.clone();
        bytes[place] ^= 0x10;
        std::fs::write(&broken, &bytes).unwrap();
        let error = refused(&target, &broken).await;
        let is_told = matches!(
            error,
            LifecycleError::Damaged { .. } | LifecycleError::NotAnArchive(_) | LifecycleError::Newer { .. }
        );
        assert!(is_told, "byte {place}: {error}");
    }
    for length in [0, 10, 95, 120, sound.len() / 3, sound.len() / 2, sound.len() - 9, sound.len() - 1] {
        std::fs::write(&broken, &sound[..length]).unwrap();
        let error = refused(&target, &broken).await;
        assert!(matches!(error, LifecycleError::Damaged { .. } | LifecycleError::NotAnArchive(_)), "{length}: {error}");
    }
    std::fs::write(&broken, [&sound[..], b"more"].concat()).unwrap();
    assert!(matches!(refused(&target, &broken).await, LifecycleError::Damaged { .. }));
    source.close().await;
    target.close().await;
}

#[tokio::test]
async fn where_it_is_damaged_is_named() {
    let source = World::on(Engine::Sqlite).await;
    source.furnish("acme").await;
    let file = source.file("acme.seam");
    source.export("acme", &file).await;
    let sound = std::fs::read(&file).unwrap();
    let broken = source.file("broken.seam");
    let target = World::on(Engine::Sqlite).await;
    std::fs::write(&broken, &sound[..sound.len() / 2]).unwrap();
    let told = refused(&target, &broken).await.to_string();
    assert!(told.contains("in the table tenant.message after ") && told.contains("take another copy"), "{told}");
    std::fs::write(&broken, "PK\u{3}\u{4} something else entirely\n").unwrap();
    let told = refused(&target, &broken).await.to_string();
    assert!(told.contains("broken.seam") && told.contains("no archive of a tenant"), "{told}");
    source.close().await;
    target.close().await;
}

#[tokio::test]
async fn a_newer_format_is_left_to_a_newer_seam() {
    let target = World::on(Engine::Sqlite).await;
    let file = target.file("newer.seam");
    std::fs::write(&file, format!("seam-tenant-archive 2 sha256:{}\n", "0".repeat(64))).unwrap();
    let told = refused(&target, &file).await.to_string();
    assert!(told.contains("made by a newer Seam") && told.contains("format is 2"), "{told}");
    target.close().await;
}
