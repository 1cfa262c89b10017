//! A lake in a bucket: its address, the service's, and the keys that it takes.

use crate::store::bucket::{self, AddressError, BucketAddress};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::merge::Effective;
use super::path::KeyPath;

/// Both are needed, and the hint is how they are mostly named.
const KEYS: [(&str, &str); 2] =
    [("storage.s3.access_key", "env:AWS_ACCESS_KEY_ID"), ("storage.s3.secret_key", "env:AWS_SECRET_ACCESS_KEY")];

/// Tells what is wrong with `[storage]` and `[storage.s3]` of a profile.
pub fn check(effective: &Effective, found: &mut Diagnostics) {
    checked(
        effective,
        "storage.s3.endpoint",
        bucket::endpoint,
        "write it like \"https://s3.example.com\", without a path",
        found,
    );
    checked(effective, "storage.s3.region", bucket::region, "write it like \"eu-central-1\"", found);
    let root = KeyPath::dotted("storage.root");
    let Some(text) = effective.text_at(&root).filter(|text| BucketAddress::is_meant(text)) else { return };
    if let Err(why) = text.parse::<BucketAddress>() {
        let error = Diagnostic::error("bad-address", format!("{root} {why}")).at(effective.place(&root));
        found.push(error.label("not a bucket").key(&root).hint("write it like \"s3://bucket/prefix\", or name a folder"));
        return;
    }
    for (name, usual) in KEYS {
        let key = KeyPath::dotted(name);
        // One that is written and no reference was told of already.
        if effective.secret_at(&key).is_none() && !effective.is_written(&key) {
            let error = Diagnostic::error("missing-key", format!("{name} is missing, and the lake is in a bucket"));
            let error = error.at(effective.place(&root)).label("needs it").key(&key);
            found.push(error.hint(format!("write {} = \"{usual}\" in [storage.s3]", key.last())));
        }
    }
}

fn checked(
    effective: &Effective,
    name: &str,
    read: impl Fn(&str) -> Result<String, AddressError>,
    hint: &str,
    found: &mut Diagnostics,
) {
    let key = KeyPath::dotted(name);
    if let Some(Err(why)) = effective.text_at(&key).map(read) {
        let error = Diagnostic::error("bad-address", format!("{key} {why}")).at(effective.place(&key));
        found.push(error.label("not taken").key(&key).hint(hint));
    }
}
