//! Which way an alert goes, and which receivers stand there.

use super::config::{Route, Severity};

/// The first route that takes this severity.
#[must_use]
pub fn route(routes: &[Route], severity: Severity) -> Option<&Route> {
    routes.iter().find(|route| takes(route, severity))
}

/// The receivers of the first route that takes this severity; empty when none does.
#[must_use]
pub fn receivers(routes: &[Route], severity: Severity) -> &[String] {
    route(routes, severity).map_or(&[], |route| route.receivers.as_slice())
}

/// Does `route` take this severity?
#[must_use]
pub fn takes(route: &Route, severity: Severity) -> bool {
    route.severity.is_none_or(|wanted| wanted == severity)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(severity: Option<Severity>, receivers: &[&str]) -> Route {
        let receivers = receivers.iter().map(|&name| name.to_owned()).collect();
        Route { name: String::new(), severity, receivers, silenceable: true }
    }

    #[test]
    fn the_first_route_that_matches_takes_it() {
        let routes = [route(Some(Severity::Critical), &["slack", "mail"]), route(None, &["slack"]), route(None, &["never"])];
        assert_eq!(receivers(&routes, Severity::Critical), ["slack", "mail"]);
        assert_eq!(receivers(&routes, Severity::Info), ["slack"]);
        assert!(receivers(&routes[..1], Severity::Warning).is_empty());
    }
}
