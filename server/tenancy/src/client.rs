//! From where somebody comes in, as their history will tell it.

use std::net::IpAddr;

/// Enough to tell browsers apart; some send kilobytes.
const MOST_AGENT_CHARS: usize = 200;

/// The network address of a request, and what the program behind it calls itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    address: IpAddr,
    agent: Option<String>,
}

impl Client {
    pub fn new(address: IpAddr, agent: Option<&str>) -> Self {
        let shortened = |agent: &str| {
            agent.chars().filter(|char| !char.is_control()).take(MOST_AGENT_CHARS).collect::<String>().trim().to_owned()
        };
        Self { address, agent: agent.map(shortened).filter(|agent| !agent.is_empty()) }
    }

    pub const fn address(&self) -> IpAddr {
        self.address
    }

    pub fn agent(&self) -> Option<&str> {
        self.agent.as_deref()
    }
}

impl From<IpAddr> for Client {
    fn from(address: IpAddr) -> Self {
        Self { address, agent: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_browser_calls_itself_is_one_short_line() {
        let home = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(Client::new(home, Some("Mozilla\r\n/5.0")).agent(), Some("Mozilla/5.0"));
        assert_eq!(Client::new(home, Some(&"x".repeat(5_000))).agent().map(str::len), Some(MOST_AGENT_CHARS));
        assert_eq!(Client::new(home, Some(" \n ")).agent(), None);
    }
}
