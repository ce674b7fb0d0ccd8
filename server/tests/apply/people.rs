//! What an application must not do to a tenant and its people, whatever the file says.

use super::{applied, mistakes, tenancy};
use contract::{ListQuery, Role};
use tenancy::Tenancy;
use testbase::Scratch;

const GLOBEX: &str = r#"
[[tenant]]
name = "globex"

[[user]]
tenant = "globex"
email = "grace@globex.test"
role = "admin"
"#;

const LEAVING: &str = "
INSERT INTO tenant_operation (tenant_id, slug, kind, started_by, started_at)
SELECT id, slug, 'delete', 'somebody', 1 FROM tenant WHERE slug = 'globex'";

async fn roles(tenancy: &Tenancy) -> Vec<(String, Role)> {
    let globex = tenancy.tenant_by_slug(&"globex".parse().unwrap()).await.unwrap().unwrap();
    let members = tenancy.member_list(&tenancy.command_line_scope(globex.id), &ListQuery::default()).await.unwrap();
    members.items.into_iter().map(|member| (member.email.to_string(), member.role)).collect()
}

#[tokio::test]
async fn a_tenant_keeps_its_last_admin() {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    applied(&tenancy, GLOBEX).await;
    let demoted = "[[user]]\ntenant = \"globex\"\nemail = \"grace@globex.test\"\nrole = \"viewer\"\n";
    let hedy = "[[user]]\ntenant = \"globex\"\nemail = \"hedy@globex.test\"\nrole = \"admin\"\n";
    let expected = "grace@globex.test is the last admin of “globex”; make somebody else one by a [[user]] with \
         role = \"admin\" above this one";
    let told = mistakes(&tenancy, &format!("# Roles\n\n{demoted}")).await;
    assert_eq!(told, [format!("line 3: role: {expected}")]);
    // Without a role somebody is a member, which is less as well.
    let told = mistakes(&tenancy, &demoted.replace("role = \"viewer\"", "")).await;
    assert_eq!(told, [format!("line 1: role: {expected}")]);
    let told = mistakes(&tenancy, &format!("{demoted}{hedy}")).await;
    assert_eq!(told, [format!("line 1: role: {expected}")], "what stands below comes too late");
    assert_eq!(roles(&tenancy).await, [("grace@globex.test".to_owned(), Role::Admin)]);

    let report = applied(&tenancy, &format!("{hedy}{demoted}")).await;
    assert_eq!((report.created(), report.updated()), (1, 1), "{report}");
    let expected = [("grace@globex.test".to_owned(), Role::Viewer), ("hedy@globex.test".to_owned(), Role::Admin)];
    assert_eq!(roles(&tenancy).await, expected);
}

#[tokio::test]
async fn of_a_tenant_that_is_being_deleted_nothing_is_declared() {
    let scratch = Scratch::new().await.unwrap();
    let tenancy = tenancy(&scratch).await;
    applied(&tenancy, GLOBEX).await;
    let mut tx = tenancy.control().begin().await.unwrap();
    tx.query(LEAVING).execute().await.unwrap();
    tx.commit().await.unwrap();
    let text = r#"[[tenant]]
name = "globex"
region = "eu"

[[user]]
tenant = "globex"
email = "hedy@globex.test"

[[api_key]]
tenant = "globex"
name = "ci"

[[model]]
name = "fast"
targets = [{ provider = "local", model = "m" }]

[[usage]]
tenant = "globex"
model = "fast"
days = 3
requests_per_day = 10
input_tokens = 100
output_tokens = 20
"#;
    let reason = "tenant: “globex” is being deleted and stays as it is; complete that: seam tenant delete globex";
    let expected: Vec<_> = [1, 5, 9, 17].map(|line| format!("line {line}: {reason}")).into();
    assert_eq!(mistakes(&tenancy, text).await, expected);
    assert_eq!(roles(&tenancy).await, [("grace@globex.test".to_owned(), Role::Admin)]);
    assert!(tenancy.user_by_email(&"hedy@globex.test".parse().unwrap()).await.unwrap().is_none());
}
