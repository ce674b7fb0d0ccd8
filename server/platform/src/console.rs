//! What the consoles need of several layers at once.

use crate::Platform;
use gateway::{Gateway, GatewayError};
use tenancy::OperatorScope;

impl Platform {
    /// Switches a provider off, or on again; this node knows it at once, the others within a second.
    pub async fn provider_switch(
        &self,
        operator: &OperatorScope,
        provider: &str,
        enabled: bool,
    ) -> Result<(), GatewayError> {
        let now = self.tenancy.clock().now();
        Gateway::provider_switch(&self.control, now, operator, provider, enabled).await?;
        self.gateway.invalidate();
        Ok(())
    }
}
