//! Which lake a command works on: a folder, or a bucket with the keys to it.

use std::path::Path;

use anyhow::anyhow;
use secrecy::SecretString;

use super::Context;
use super::exit::{Exit, Failure};
use super::work::lake_failure;
use crate::domain::SecretRef;
use crate::profile::{Profile, S3};
use crate::secret::Secrets;
use crate::store::bucket::{self, Access, BucketAddress};
use crate::store::{Bucket, Lake};

/// Below the folder of runs: what belongs to this machine, not to a lake that several share.
const LOCAL: &str = "_local";
/// Where commands that know no profile look for what `[storage.s3]` says, as other tools do.
const ENDPOINTS: [&str; 2] = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"];
const REGIONS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];
const REGION: &str = "us-east-1";
const ACCESS_KEY: &str = "AWS_ACCESS_KEY_ID";
const SECRET_KEY: &str = "AWS_SECRET_ACCESS_KEY";
const TOKEN: &str = "AWS_SESSION_TOKEN";

/// The lake of a profile.
///
/// # Errors
/// When the folder is none, or a key to the bucket cannot be had.
pub fn of_profile(profile: &Profile, context: &Context) -> Result<Lake, Failure> {
    let storage = profile.storage();
    if !BucketAddress::is_meant(&storage.root) {
        return Lake::open(context.root.join(&storage.root)).map_err(lake_failure);
    }
    let address = address(&storage.root)?;
    let access = access(&storage.s3, context)?;
    in_bucket(address, &access, &context.root.join(&storage.runs))
}

/// The lake that a person names: a folder, or `s3://bucket/prefix` with what the environment says about it.
///
/// # Errors
/// As [`of_profile`].
pub fn named(place: &Path, context: &Context) -> Result<Lake, Failure> {
    let Some(text) = place.to_str().filter(|text| BucketAddress::is_meant(text)) else {
        return Lake::open(place).map_err(lake_failure);
    };
    let address = address(text)?;
    let set = |names: &[&str]| names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let endpoint = set(&ENDPOINTS).map(|text| {
        let wrong = |error| usage(&anyhow!("AWS_ENDPOINT_URL {error}"), "name the service's https:// address");
        bucket::endpoint(&text).map_err(wrong)
    });
    let region = bucket::region(&set(&REGIONS).unwrap_or_else(|| REGION.to_owned()));
    let s3 = S3 {
        endpoint: endpoint.transpose()?,
        region: region.map_err(|error| usage(&anyhow!("AWS_REGION {error}"), "name it like eu-central-1"))?,
        access_key: Some(SecretRef::Env(ACCESS_KEY.to_owned())),
        secret_key: Some(SecretRef::Env(SECRET_KEY.to_owned())),
        token: set(&[TOKEN]).map(|_| SecretRef::Env(TOKEN.to_owned())),
    };
    in_bucket(address, &access(&s3, context)?, &context.root.join("runs"))
}

fn address(text: &str) -> Result<BucketAddress, Failure> {
    text.parse().map_err(|error| {
        // Some tools take keys in the address; whoever writes them here finds them nowhere else.
        let shown = if text.contains('@') { "the lake's address".to_owned() } else { format!("\"{text}\"") };
        usage(&anyhow!("{shown} {error}"), "write it like s3://bucket/prefix")
    })
}

fn usage(error: &anyhow::Error, hint: &str) -> Failure {
    Failure::new(Exit::Usage, anyhow!("{error}")).hint(hint)
}

fn access(s3: &S3, context: &Context) -> Result<Access, Failure> {
    let secrets = Secrets::of_this_process(&context.root);
    let resolve = |reference: &SecretRef| -> Result<SecretString, Failure> {
        secrets.resolve(reference).map_err(|error| {
            let hint = error.hint();
            Failure::new(Exit::Configuration, error).hint(hint)
        })
    };
    let needed = |reference: &Option<SecretRef>| resolve(reference.as_ref().expect("a profile with a bucket names both keys"));
    Ok(Access {
        endpoint: s3.endpoint.clone(),
        region: s3.region.clone(),
        access_key: needed(&s3.access_key)?,
        secret_key: needed(&s3.secret_key)?,
        token: s3.token.as_ref().map(resolve).transpose()?,
    })
}

fn in_bucket(address: BucketAddress, access: &Access, runs: &Path) -> Result<Lake, Failure> {
    let bucket = Bucket::open(address, access).map_err(lake_failure)?;
    Ok(Lake::in_bucket(bucket, runs.join(LOCAL)))
}
