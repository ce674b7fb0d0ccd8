//! The master key is changed: each secret is sealed anew for whom it was sealed before.

use crate::fixture::Fixture;
use contract::TenantId;
use std::{fs, path::Path};
use store::{FromRow, Row, StoreError};
use tenancy::{Clock, DataKey, Vault, VaultError};

const NEW: &str = "bmV3IG5ldyBuZXcgbmV3IG5ldyBuZXcgbmV3IG5ldyE=";
const PLANT: &str = "
INSERT INTO sign_in_setting
    (tenant_id, issuer, client_id, client_secret_sealed, default_role, enabled, required, updated_at)
VALUES ($1, 'https://login.test', 'seam', $2, 'viewer', TRUE, FALSE, 1)";
const READ: &str = "SELECT client_secret_sealed AS sealed FROM sign_in_setting WHERE tenant_id = $1";

struct Sealed(Vec<u8>);

impl FromRow for Sealed {
    fn from_row(row: &Row) -> Result<Self, StoreError> {
        Ok(Self(row.get("sealed")?))
    }
}

fn context(tenant: TenantId) -> String {
    format!("sign-in:{tenant}:https://login.test")
}

#[tokio::test]
async fn two_tenants_secrets_of_one_identity_provider_stay_apart() {
    let fixture = Fixture::new().await;
    let control = fixture.tenancy.control();
    let old = Vault::open_for(control, fixture.scratch.dir(), None, None).await.unwrap();
    let tenants = [fixture.tenant("acme").await.id, fixture.tenant("globex").await.id];
    for tenant in tenants {
        let sealed = old.seal(&context(tenant), &format!("secret of {tenant}")).unwrap();
        control.write(PLANT).bind(tenant).bind(sealed).execute().await.unwrap();
    }
    let text = fs::read_to_string(fixture.scratch.dir().join("master.key")).unwrap();
    let both = Vault::open_with(control, Path::new("/nowhere"), Some(NEW), None, Some(text.trim())).await.unwrap();
    let mut tx = control.begin().await.unwrap();
    assert_eq!(both.reseal_tenancy(&mut tx).await.unwrap(), 3, "the mark and two secrets");
    tx.commit().await.unwrap();
    let new = Vault::open_for(control, Path::new("/nowhere"), Some(NEW), None).await.unwrap();
    for tenant in tenants {
        let Sealed(sealed) = control.read(READ).bind(tenant).fetch_one().await.unwrap();
        assert_eq!(new.unseal(&context(tenant), &sealed).unwrap().expose(), format!("secret of {tenant}"));
        assert!(matches!(old.unseal(&context(tenant), &sealed), Err(VaultError::Unseal { .. })));
    }
}

#[tokio::test]
async fn a_secret_that_opens_under_neither_key_stops_the_change() {
    let fixture = Fixture::new().await;
    let control = fixture.tenancy.control();
    let vault = Vault::open_for(control, fixture.scratch.dir(), None, None).await.unwrap();
    let tenant = fixture.tenant("acme").await.id;
    control.write(PLANT).bind(tenant).bind(vec![1_u8; 60]).execute().await.unwrap();
    let mut tx = control.begin().await.unwrap();
    let refused = vault.reseal_tenancy(&mut tx).await.unwrap_err();
    assert!(matches!(refused, VaultError::Unseal { .. }), "{refused}");
}

#[tokio::test]
async fn a_tenants_data_key_is_its_own_whatever_another_does_with_its_own() {
    let fixture = Fixture::new().await;
    let (control, now) = (fixture.tenancy.control(), fixture.clock.now());
    let vault = Vault::open_for(control, fixture.scratch.dir(), None, None).await.unwrap();
    let (acme, globex) = (fixture.tenant("acme").await.id, fixture.tenant("globex").await.id);
    let mut tx = control.begin().await.unwrap();
    let first = DataKey::of(&mut tx, now, &vault, acme).await.unwrap();
    let sealed = first.seal("for acme", "secret").unwrap();
    // The other one's is newer twice, and its older ones go.
    let mut others = DataKey::of(&mut tx, now, &vault, globex).await.unwrap();
    for _ in 0..2 {
        others = others.renew(&mut tx, now, &vault, globex).await.unwrap();
    }
    others.forget_older(&mut tx, globex).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = control.begin().await.unwrap();
    let again = DataKey::of(&mut tx, now, &vault, acme).await.unwrap();
    assert_eq!((again.version(), others.version()), (1, 3));
    assert_eq!(again.unseal("for acme", &sealed).unwrap().expose(), "secret");
    assert_eq!(DataKey::of(&mut tx, now, &vault, globex).await.unwrap().version(), 3);
    tx.commit().await.unwrap();

    // Under another master key each is still its own tenant's; both have the same version now.
    let mut tx = control.begin().await.unwrap();
    let acmes = again.renew(&mut tx, now, &vault, acme).await.unwrap();
    let third = acmes.renew(&mut tx, now, &vault, acme).await.unwrap();
    let sealed = third.seal("for acme", "secret").unwrap();
    tx.commit().await.unwrap();
    let text = fs::read_to_string(fixture.scratch.dir().join("master.key")).unwrap();
    let both = Vault::open_with(control, Path::new("/nowhere"), Some(NEW), None, Some(text.trim())).await.unwrap();
    let mut tx = control.begin().await.unwrap();
    both.reseal_tenancy(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let new = Vault::open_for(control, Path::new("/nowhere"), Some(NEW), None).await.unwrap();
    let mut tx = control.begin().await.unwrap();
    let again = DataKey::of(&mut tx, now, &new, acme).await.unwrap();
    assert_eq!((again.version(), DataKey::of(&mut tx, now, &new, globex).await.unwrap().version()), (3, 3));
    assert_eq!(again.unseal("for acme", &sealed).unwrap().expose(), "secret");
}
