//! Which receivers an alert goes to.

use super::config::{Route, Severity};

/// The receivers of the first route that takes this severity; empty when none does.
#[must_use]
pub fn receivers(routes: &[Route], severity: Severity) -> &[String] {
    let taken = routes.iter().find(|route| route.severity.is_none_or(|wanted| wanted == severity));
    taken.map_or(&[], |route| route.receivers.as_slice())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(severity: Option<Severity>, receivers: &[&str]) -> Route {
        Route { name: String::new(), severity, receivers: receivers.iter().map(|&name| name.to_owned()).collect() }
    }

    #[test]
    fn the_first_route_that_matches_takes_it() {
        let routes = [route(Some(Severity::Critical), &["slack", "mail"]), route(None, &["slack"]), route(None, &["never"])];
        assert_eq!(receivers(&routes, Severity::Critical), ["slack", "mail"]);
        assert_eq!(receivers(&routes, Severity::Info), ["slack"]);
        assert!(receivers(&routes[..1], Severity::Warning).is_empty());
    }
}
