//! Pages and pictures for people: what other rooms know, as SVG and HTML.
//!
//! Enter at [`heat_map::svg`] and [`staircase::svg`] for a picture, at [`data_page::html`] for a page, and at
//! [`endpoint::Endpoint`] for what a running program shows to Prometheus.
//!
//! WEB-1  A page is one file: it asks no network for anything, and runs no script.
//! WEB-2  Foreign text becomes no markup.
//! WEB-3  The same figures give the same bytes.
//!
//! Not here: writing files (`store/disk`), choosing what to show (`cli`).

pub mod data_page;
pub mod endpoint;
pub mod grafana;
pub mod heat_map;
mod markup;
pub mod prometheus;
pub mod staircase;
mod whole;
